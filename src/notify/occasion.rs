//! What is worth a notice: trouble when it begins, changes its nature or lasts, its end, and changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Notice};
use crate::config::{NotifyConfig, Occasions};
use crate::time::{Span, Timestamp};

/// The version of notices and of what is kept of them.
pub(super) const VERSION: u32 = 1;

/// What a pass brought for one host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct News {
    /// The host.
    pub host: String,
    /// What somebody has to do something about; empty where nothing is wrong.
    pub trouble: String,
    /// What was done; empty where nothing was.
    pub changes: String,
}

/// Trouble that was told of and is not over.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Doing {
    /// Since when there has been some, in milliseconds since 1970.
    since: i64,
    /// When it was last told.
    told: i64,
    /// What was told.
    text: String,
}

/// What follows from the news: the notices, with `troubles` brought up to date.
pub(super) fn notices(
    news: &[News],
    troubles: &mut BTreeMap<String, Doing>,
    config: &NotifyConfig,
    now: Timestamp,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    for News { host, trouble, changes } in news {
        let notice = |kind, since: Timestamp, text: &str| Notice {
            version: VERSION,
            host: host.clone(),
            kind,
            at: now.to_string(),
            since: since.to_string(),
            text: text.trim_end().to_owned(),
        };
        if config.on != Occasions::Trouble && !changes.is_empty() {
            notices.push(notice(Kind::Change, now, changes));
        }
        if config.on == Occasions::Change {
            continue;
        }
        let known = troubles.get(host);
        let since = known.map_or(now, |known| Timestamp::from_millis(known.since));
        if trouble.is_empty() {
            if let Some(over) = troubles.remove(host) {
                let text = format!("It is over. It was:\n{}", over.text);
                notices.push(notice(Kind::Cleared, since, &text));
            }
        } else if known
            .is_none_or(|known| known.is_worth_telling_again(trouble, config.repeat, now))
        {
            notices.push(notice(Kind::Trouble, since, trouble));
            let (since, told) = (since.as_millis(), now.as_millis());
            troubles.insert(host.clone(), Doing { since, told, text: trouble.clone() });
        }
    }
    notices
}

impl Doing {
    /// Whether what is wrong now is other trouble, or was told too long ago.
    fn is_worth_telling_again(&self, trouble: &str, repeat: Span, now: Timestamp) -> bool {
        let told = Timestamp::from_millis(self.told);
        // A clock that went back must not silence anybody.
        nature(&self.text) != nature(trouble) || now < told || repeat <= now.since(told)
    }
}

/// Trouble without its numbers: times and counts differ from pass to pass.
fn nature(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(on: Occasions) -> NotifyConfig {
        NotifyConfig {
            command: None,
            webhook: None,
            sendmail: None,
            sendmail_program: "/usr/sbin/sendmail".into(),
            on,
            repeat: Span::from_seconds(100),
        }
    }

    fn news(trouble: &str, changes: &str) -> Vec<News> {
        vec![News {
            host: "mail.example.nl".into(),
            trouble: trouble.into(),
            changes: changes.into(),
        }]
    }

    #[test]
    fn trouble_is_told_at_once_then_with_pauses_and_its_end_once() {
        let mut troubles = BTreeMap::new();
        let config = config(Occasions::Trouble);
        let mut told = Vec::new();
        for (at, trouble) in [
            (0, ""),
            (10, "ns2 is silent, try 1"),
            (50, "ns2 is silent, try 2"),
            (111, "ns2 is silent, try 3"),
            (120, "the CA says no"),
            (130, ""),
            (140, ""),
            (150, "the CA says no"),
        ] {
            let now = Timestamp::from_seconds(at);
            let notices = notices(&news(trouble, "done"), &mut troubles, &config, now);
            told.extend(notices.into_iter().map(|notice| (at, notice.kind)));
        }
        let expected = [
            (10, Kind::Trouble),
            (111, Kind::Trouble),
            (120, Kind::Trouble),
            (130, Kind::Cleared),
            (150, Kind::Trouble),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_not_asked_for_is_not_told() {
        let now = Timestamp::from_seconds(1);
        for (on, expected) in [
            (Occasions::Both, vec![Kind::Change, Kind::Trouble]),
            (Occasions::Change, vec![Kind::Change]),
            (Occasions::Trouble, vec![Kind::Trouble]),
        ] {
            let notices = notices(&news("bad", "done"), &mut BTreeMap::new(), &config(on), now);
            let kinds: Vec<Kind> = notices.iter().map(|notice| notice.kind).collect();
            assert_eq!(kinds, expected, "{on:?}");
        }
    }

    #[test]
    fn a_clock_that_went_back_silences_nobody() {
        let (mut troubles, config) = (BTreeMap::new(), config(Occasions::Trouble));
        for at in [1000, 10] {
            let now = Timestamp::from_seconds(at);
            assert_eq!(notices(&news("bad", ""), &mut troubles, &config, now).len(), 1, "{at}");
        }
    }
}
