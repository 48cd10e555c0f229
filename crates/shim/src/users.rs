//! Who runs the program: names looked up in the container's own `/etc/passwd` and `/etc/group`.

use std::os::fd::AsFd;
use std::path::Path;

use shim_proto::{Failure, NamedId, UserSpec};

use crate::rooted;

/// Longest `/etc/passwd` or `/etc/group` read, in bytes.
const DATABASE_LIMIT_BYTES: u64 = 4 << 20;

/// A user in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolvedUser {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) additional_gids: Vec<u32>,
    pub(crate) home: String,
}

/// Looks `user` up in the root file system `root`.
pub(crate) fn resolve(root: impl AsFd, user: &UserSpec) -> Result<ResolvedUser, Failure> {
    let read = |path: &str| {
        rooted::read_text(root.as_fd(), Path::new(path), DATABASE_LIMIT_BYTES).map_err(|error| {
            Failure::specification(format!("cannot read the image's `{path}`: {error}"))
        })
    };
    let passwd = read("/etc/passwd")?.unwrap_or_default();
    let group = read("/etc/group")?.unwrap_or_default();
    resolve_in(&passwd, &group, user)
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1)?;
        Some(Account { name, uid, gid, home })
    })
}

/// Name, id and members of each group.
fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

fn resolve_in(passwd: &str, group: &str, user: &UserSpec) -> Result<ResolvedUser, Failure> {
    let account = accounts(passwd).find(|account| match &user.user {
        NamedId::Id(uid) => account.uid == *uid,
        NamedId::Name(name) => account.name == name,
    });
    let uid = match (&user.user, &account) {
        (NamedId::Id(uid), _) => *uid,
        (NamedId::Name(_), Some(account)) => account.uid,
        (NamedId::Name(name), None) => {
            return Err(Failure::specification(format!(
                "unable to find user `{name}`: no matching entry in the image's /etc/passwd; add \
                 the user to the image or give a numeric id"
            )));
        }
    };
    let gid = match &user.group {
        None => account.as_ref().map_or(0, |account| account.gid),
        Some(NamedId::Id(gid)) => *gid,
        Some(NamedId::Name(name)) => groups(group)
            .find(|(group, ..)| group == name)
            .map(|(_, gid, _)| gid)
            .ok_or_else(|| {
                Failure::specification(format!(
                    "unable to find group `{name}`: no matching entry in the image's \
                         /etc/group; add the group to the image or give a numeric id"
                ))
            })?,
    };
    let mut additional_gids = user.additional_gids.clone();
    if let (None, Some(account)) = (&user.group, &account) {
        let listed = groups(group)
            .filter(|(_, _, members)| members.split(',').any(|member| member == account.name))
            .map(|(_, gid, _)| gid);
        additional_gids.extend(listed);
    }
    additional_gids.retain(|additional| *additional != gid);
    additional_gids.sort_unstable();
    additional_gids.dedup();
    if let Some(id) =
        [uid, gid].iter().chain(&additional_gids).find(|id| **id >= shim_proto::ID_RANGE)
    {
        return Err(Failure::specification(format!(
            "user or group id {id} is too large: a container has the ids 0 to {}",
            shim_proto::ID_RANGE - 1
        )));
    }
    let home = account.map_or("/", |account| account.home);
    let home = if home.is_empty() { "/" } else { home }.to_owned();
    Ok(ResolvedUser { uid, gid, additional_gids, home })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1001::/srv/app:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nstaff:x:50:app,other\napp:x:1001:app\n";

    fn check(user: &str, expected: Result<(u32, u32, &[u32], &str), &str>) {
        match (resolve_in(PASSWD, GROUP, &UserSpec::from(user)), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(
                (found.uid, found.gid, &found.additional_gids[..], found.home.as_str()),
                expected,
                "{user}"
            ),
            (Err(failure), Err(expected)) => {
                assert!(failure.message.contains(expected), "{user}: {failure}");
            }
            (found, expected) => panic!("{user}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn users_and_groups_are_found_by_name_and_number() {
        check("", Ok((0, 0, &[], "/root")));
        check("app", Ok((1000, 1001, &[50], "/srv/app")));
        check("1000", Ok((1000, 1001, &[50], "/srv/app")));
        check("app:staff", Ok((1000, 50, &[], "/srv/app")));
        check("4000:7", Ok((4000, 7, &[], "/")));
        check("nobody", Err("unable to find user `nobody`"));
        check("app:wheel", Err("unable to find group `wheel`"));
        check("70000", Err("too large"));
    }
}
