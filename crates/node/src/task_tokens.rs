//! What a container shows to get its task's credentials.
//!
//! Tokens and names are computed from a key of this node, not kept: a new agent accepts what an old one gave out.

use std::fmt;
use std::io;
use std::path::Path;

use aws_lc_rs::hmac;
use base::IdSource;
use zeroize::Zeroizing;

use crate::identity::write_atomically;

/// The key of this node's tokens.
pub(crate) struct TaskTokens(hmac::Key);

impl TaskTokens {
    /// Reads the key in `directory`, or makes one.
    pub(crate) fn open(directory: &Path, ids: &dyn IdSource) -> io::Result<Self> {
        let path = directory.join("task-tokens.json");
        let text: Zeroizing<String> = match std::fs::read(&path) {
            Ok(bytes) => Zeroizing::new(serde_json::from_slice(&Zeroizing::new(bytes))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = Zeroizing::new(format!("{}{}", ids.hex32(), ids.hex32()));
                write_atomically(&path, &text.as_str(), true)?;
                text
            }
            Err(error) => return Err(error),
        };
        if text.len() != 64 {
            let reason = format!("`{}` does not hold a key: remove it", path.display());
            return Err(io::Error::other(reason));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
    }

    /// The UUID in the path of a task's credentials.
    pub(crate) fn credentials_id(&self, task_id: &str) -> String {
        let digits = self.digits(&format!("credentials/{task_id}"));
        let part = |range| digits.get(range).unwrap_or_default();
        let (first, second, third) = (part(0..8), part(8..12), part(13..16));
        format!("{first}-{second}-4{third}-a{}-{}", part(17..20), part(20..32))
    }

    /// The token of one container of a task, 64 hexadecimal digits.
    pub(crate) fn token(&self, task_id: &str, container_id: &str) -> String {
        self.digits(&message(task_id, container_id))
    }

    /// Whether this is the token of a container of the task. Takes as long for a wrong one as for a right one.
    pub(crate) fn is_of_task<'a>(
        &self,
        token: &[u8],
        task_id: &str,
        container_ids: impl Iterator<Item = &'a str>,
    ) -> bool {
        let mut given = [0; 32];
        let well_formed = hex::decode_to_slice(token, &mut given).is_ok();
        let matches = container_ids.filter(|container_id| {
            let message = message(task_id, container_id);
            hmac::verify(&self.0, message.as_bytes(), &given).is_ok()
        });
        matches.count() > 0 && well_formed
    }

    fn digits(&self, message: &str) -> String {
        hex::encode(hmac::sign(&self.0, message.as_bytes()))
    }
}

fn message(task_id: &str, container_id: &str) -> String {
    format!("token/{task_id}/{container_id}")
}

impl fmt::Debug for TaskTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskTokens")
    }
}

#[cfg(test)]
mod tests {
    use base::SeededIds;

    use super::*;

    #[test]
    fn a_token_is_of_one_container_of_one_task_of_one_node_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = TaskTokens::open(directory.path(), &SeededIds::new(1)).unwrap();
        let token = tokens.token("t", "a");
        let again = TaskTokens::open(directory.path(), &SeededIds::new(2)).unwrap();
        assert_eq!(again.token("t", "a"), token);
        let is =
            |token: &str, task| again.is_of_task(token.as_bytes(), task, ["b", "a"].into_iter());
        assert!(is(&token, "t"));
        for (wrong, task) in [
            (token.as_str(), "u"),
            (token.get(1..).unwrap(), "t"),
            (&tokens.token("t", "c"), "t"),
            (&tokens.credentials_id("t"), "t"),
            (&"0".repeat(64), "t"),
            ("", "t"),
        ] {
            assert!(!is(wrong, task), "{wrong}");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let other = TaskTokens::open(elsewhere.path(), &SeededIds::new(3)).unwrap();
        assert_ne!(other.token("t", "a"), token);
        assert_eq!(other.credentials_id("t").len(), 36);
        assert_ne!(tokens.credentials_id("t"), tokens.credentials_id("u"));
    }
}
