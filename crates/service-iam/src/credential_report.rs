//! The credential report: every user's credentials, as comma-separated values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use base::{AccountId, Timestamp};
use iam::{AccessKey, AccessKeyStatus, User};
use identity::LastUse;
use state::View;

use crate::{IamContext, quota};

/// For how long a report is good, and no new one is made.
const GOOD_FOR_MS: i64 = 4 * 60 * 60 * 1000;

const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,\
cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// There are no passwords and no certificates here.
const NO_PASSWORD: [&str; 4] = ["false", "N/A", "N/A", "N/A"];
const ROOT_PASSWORD: [&str; 4] =
    ["not_supported", "no_information", "not_supported", "not_supported"];
const NO_CERTIFICATES: [&str; 4] = ["false", "N/A", "false", "N/A"];
const NO_KEY: [&str; 5] = ["false", "N/A", "N/A", "N/A", "N/A"];

/// The newest report of each account, in memory: one an account, and after a restart none.
#[derive(Debug, Clone, Default)]
pub struct CredentialReports(Arc<Mutex<BTreeMap<AccountId, Report>>>);

/// A report.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// When it was made.
    pub(crate) generated_at: Timestamp,
    /// What it says.
    pub(crate) content: Arc<str>,
}

impl Report {
    /// Whether it is so old that it is not shown any more.
    pub(crate) const fn is_expired(&self, now: Timestamp) -> bool {
        now.ms_since(self.generated_at) >= GOOD_FOR_MS
    }
}

impl CredentialReports {
    /// The newest report of an account.
    pub(crate) fn of(&self, account: &AccountId) -> Option<Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    /// Keeps a report, and lets go of those that are shown no more.
    pub(crate) fn keep(&self, account: AccountId, report: Report) {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.retain(|_, other| !other.is_expired(report.generated_at));
        reports.insert(account, report);
    }
}

/// The report of an account as it is now.
pub(crate) fn write(ctx: &IamContext, view: &View, account: &AccountId) -> String {
    let identities = view.identities();
    let mut report = COLUMNS.to_owned();
    root(ctx, view, account, &mut report);
    let mut keys: BTreeMap<&str, Vec<&AccessKey>> = BTreeMap::new();
    for key in identities.access_keys().filter(|key| key.account == *account) {
        keys.entry(&key.user).or_default().push(key);
    }
    for keys in keys.values_mut() {
        keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    }
    let devices = identities.mfa_devices().filter(|device| device.account == *account);
    let with_mfa: BTreeSet<&str> = devices.filter_map(|device| device.user.as_deref()).collect();
    for user in identities.users().filter(|user| user.account == *account) {
        let keys = keys.get(user.name.as_str()).map_or(&[][..], Vec::as_slice);
        self::user(ctx, user, keys, with_mfa.contains(user.name.as_str()), &mut report);
    }
    report
}

fn root(ctx: &IamContext, view: &View, account: &AccountId, report: &mut String) {
    let joined_at = view.identities().account(account.as_str()).map(|account| account.joined_at);
    let created = joined_at.map_or_else(|| "N/A".to_owned(), time);
    let arn = format!("arn:aws:iam::{account}:root");
    line(report, ["<root_account>", &arn, &created]);
    more(report, ROOT_PASSWORD);
    more(report, ["false"]);
    match ctx.root_key_of(account) {
        Some(id) => key(report, true, None, ctx.usage.access_key(id).as_ref()),
        None => more(report, NO_KEY),
    }
    more(report, NO_KEY);
    more(report, NO_CERTIFICATES);
}

fn user(ctx: &IamContext, user: &User, keys: &[&AccessKey], has_mfa: bool, report: &mut String) {
    line(report, [&quoted(&user.name), &quoted(&user.arn()), &time(user.created_at)]);
    more(report, NO_PASSWORD);
    more(report, [bool_text(has_mfa)]);
    for index in 0..quota::ACCESS_KEYS_PER_USER {
        match keys.get(index) {
            Some(row) => {
                let active = row.status == AccessKeyStatus::Active;
                let last_use = ctx.usage.access_key(&row.id);
                key(report, active, Some(row.created_at), last_use.as_ref());
            }
            None => more(report, NO_KEY),
        }
    }
    more(report, NO_CERTIFICATES);
}

fn key(
    report: &mut String,
    active: bool,
    created_at: Option<Timestamp>,
    last_use: Option<&LastUse>,
) {
    let none = || "N/A".to_owned();
    let created = created_at.map_or_else(none, time);
    let used = last_use.map_or_else(none, |last| time(last.at));
    let region = last_use.map_or("N/A", |last| last.region.as_str());
    let service = last_use.map_or("N/A", |last| last.service.as_str());
    more(report, [bool_text(active), &created, &used, region, service]);
}

const fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Begins a line.
fn line<const N: usize>(report: &mut String, cells: [&str; N]) {
    report.push('\n');
    report.push_str(&cells.join(","));
}

/// Goes on with a line.
fn more<const N: usize>(report: &mut String, cells: [&str; N]) {
    for cell in cells {
        // Writing to a string cannot fail.
        let _written = write!(report, ",{cell}");
    }
}

/// A cell with a name: names may hold commas.
fn quoted(text: &str) -> String {
    if text.contains(',') { format!("\"{text}\"") } else { text.to_owned() }
}

/// `2024-11-20T00:00:00+00:00`.
fn time(time: Timestamp) -> String {
    let text = time.to_string();
    let seconds = text.split(['.', 'Z']).next().unwrap_or(&text);
    format!("{seconds}+00:00")
}
