//! One thing that was found: how bad it is, what was seen, what it means for mail, what to do.

pub use super::catalogue::Code;
use super::catalogue::Entry;

/// How bad a finding is, the lesser first; the worst of several decides.
///
/// What is known to be broken is worse than what could not be found out, and that is worse than what
/// still works.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Mail is delivered, but unprotected or without anything to spare.
    Warning,
    /// It could not be found out.
    Unknown,
    /// Senders that use DANE do not deliver.
    Critical,
}

impl Severity {
    /// Every severity.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Unknown, Self::Critical];

    /// The word of the monitoring plugins.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Critical => "CRITICAL",
        }
    }

    /// The exit code of the monitoring plugins.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of thing it is.
    pub code: Code,
    /// The addresses or name servers that it is about; empty where it is about the whole.
    pub at: Vec<String>,
    /// What was seen.
    pub seen: String,
    /// What to do here, where that is more than can be said of all findings of this kind.
    special_remedy: Option<String>,
}

impl Finding {
    /// A finding about the whole.
    pub fn new(severity: Severity, code: Code, seen: impl Into<String>) -> Self {
        Self { severity, code, at: Vec::new(), seen: seen.into(), special_remedy: None }
    }

    /// That something is as it should be.
    pub fn ok(code: Code, seen: impl Into<String>) -> Self {
        Self::new(Severity::Ok, code, seen)
    }

    /// That something works, and is not as it should be.
    pub fn warning(code: Code, seen: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, seen)
    }

    /// That something could not be found out.
    pub fn unknown(code: Code, seen: impl Into<String>) -> Self {
        Self::new(Severity::Unknown, code, seen)
    }

    /// That mail is not delivered.
    pub fn critical(code: Code, seen: impl Into<String>) -> Self {
        Self::new(Severity::Critical, code, seen)
    }

    /// The same about one address or name server.
    pub fn at(mut self, place: impl ToString) -> Self {
        self.at.push(place.to_string());
        self
    }

    /// The same with another remedy.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.special_remedy = Some(remedy.into());
        self
    }

    /// What it means for mail.
    pub fn meaning(&self) -> &'static str {
        Entry::of(self.code).meaning
    }

    /// Where it is written that it should be otherwise.
    pub fn reference(&self) -> &'static str {
        Entry::of(self.code).reference
    }

    /// What to do; empty where nothing is.
    pub fn remedy(&self) -> &str {
        match (&self.special_remedy, self.severity) {
            (Some(remedy), _) => remedy,
            (None, Severity::Ok) => "",
            (None, Severity::Warning | Severity::Unknown | Severity::Critical) => {
                Entry::of(self.code).remedy
            }
        }
    }

    /// Whether another finding says the same of another place.
    fn says_the_same(&self, other: &Self) -> bool {
        let places = self.at.is_empty() == other.at.is_empty();
        places
            && Self { at: Vec::new(), ..self.clone() } == Self { at: Vec::new(), ..other.clone() }
    }
}

/// Joins what is found at several places alike, and keeps the order.
pub fn merge(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|earlier| earlier.says_the_same(&finding)) {
            None => merged.push(finding),
            Some(earlier) => {
                for place in finding.at {
                    if !earlier.at.contains(&place) {
                        earlier.at.push(place);
                    }
                }
            }
        }
    }
    merged
}

/// The worst of several severities; OK where there are none.
pub fn worst(severities: impl IntoIterator<Item = Severity>) -> Severity {
    severities.into_iter().max().unwrap_or(Severity::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_wins_and_what_is_broken_is_worse_than_what_is_not_known() {
        use Severity::{Critical, Ok, Unknown, Warning};
        assert_eq!(worst([Ok, Unknown, Warning]), Unknown);
        assert_eq!(worst([Unknown, Critical]), Critical);
        assert_eq!(worst([]), Ok);
        assert_eq!(Severity::ALL.map(Severity::exit_code), [0, 1, 3, 2]);
    }

    #[test]
    fn what_is_alike_at_several_places_is_said_once() {
        let silent = |place: &str| Finding::unknown(Code::ListenerSilent, "no answer").at(place);
        let merged = merge(vec![silent("a"), silent("b"), silent("a")]);
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].at, ["a", "b"]);
        let other = Finding::unknown(Code::ListenerSilent, "refused").at("c");
        assert_eq!(merge(vec![silent("a"), other]).len(), 2);
    }
}
