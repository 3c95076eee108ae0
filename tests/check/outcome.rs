//! What a check said, to be asked about.

use serde_json::Value;

/// One subject of a check's JSON.
pub struct Outcome<'a>(pub &'a Value);

/// All subjects of a check's JSON, by name.
pub struct Outcomes(pub Value);

impl Outcomes {
    /// Reads what `check --json` printed.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        let all: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}:\n{text}"));
        assert_eq!(all["version"], 1);
        Self(all)
    }

    /// What was said of one subject.
    #[track_caller]
    pub fn of(&self, name: &str) -> Outcome<'_> {
        let subjects = self.0["subjects"].as_array().expect("subjects");
        let found = subjects.iter().find(|subject| subject["name"] == name);
        Outcome(found.unwrap_or_else(|| panic!("{name} was not checked")))
    }
}

impl Outcome<'_> {
    /// Every finding, those of its servers too.
    fn findings(&self) -> Vec<&Value> {
        let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default().len();
        let own = (0..list(&self.0["findings"])).map(|i| &self.0["findings"][i]);
        let servers = (0..list(&self.0["servers"])).flat_map(|s| {
            let findings = &self.0["servers"][s]["findings"];
            (0..list(findings)).map(move |i| &findings[i])
        });
        own.chain(servers).collect()
    }

    /// Fails unless this is the worst, and each of these kinds was found with its severity; a finding
    /// that is not OK says what it means, where that is written and what to do.
    #[track_caller]
    pub fn expect(self, status: &str, wanted: &[(&str, &str)]) -> Self {
        assert_eq!(self.0["status"], status, "{:#}", self.0);
        let findings = self.findings();
        for (severity, code) in wanted {
            let found = findings.iter().any(|f| f["severity"] == *severity && f["code"] == *code);
            assert!(found, "no {severity} {code} in {:#}", self.0);
        }
        for finding in findings.iter().filter(|finding| finding["severity"] != "OK") {
            for key in ["seen", "meaning", "reference", "remedy"] {
                assert!(finding[key].as_str().is_some_and(|text| !text.is_empty()), "{finding:#}");
            }
        }
        self
    }

    /// Fails unless every kind of finding that is not OK is one of these.
    #[track_caller]
    pub fn expect_nothing_but(self, allowed: &[&str]) -> Self {
        for finding in self.findings() {
            let code = finding["code"].as_str().unwrap_or_default();
            let is_allowed = finding["severity"] == "OK" || allowed.contains(&code);
            assert!(is_allowed, "{finding:#}");
        }
        self
    }

    /// Fails unless some finding of this kind says so.
    #[track_caller]
    pub fn expect_said(self, code: &str, words: &str) -> Self {
        let said: Vec<String> = self
            .findings()
            .iter()
            .filter(|finding| finding["code"] == code)
            .map(|finding| format!("{}: {}", finding["at"], finding["seen"]))
            .collect();
        assert!(said.iter().any(|text| text.contains(words)), "{code}: no `{words}` in {said:#?}");
        self
    }
}
