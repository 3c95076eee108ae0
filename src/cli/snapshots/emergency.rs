//! `docs/emergency.md` shows what is really printed.

use super::super::layout::{self, Colours};
use super::super::report::{self, Stays};
use super::super::status::Status;
use super::stage::Stage;
use super::{new_ca, plan};
use crate::ports::Clock as _;
use crate::rollover::action::Request;

/// The page.
const PAGE: &str = include_str!("../../../docs/emergency.md");

/// Fails unless the page shows this, indented as its commands are.
#[track_caller]
fn shows(text: &str) {
    let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
    assert!(PAGE.contains(&indented), "the page does not show:\n\n{indented}");
}

/// What passes of `--wait` say on a terminal, one after so many seconds each.
fn passes(stage: &Stage, request: Option<Request>, pauses: &[u64]) -> String {
    let mut request = request;
    let mut text = String::new();
    for pause in [&[0], pauses].concat() {
        stage.wait(pause);
        let report = stage.pass(request.take());
        text += &report::happened(&report, stage.now().wall, Stays::Yes);
    }
    layout::fold(&text)
}

/// What `status` says.
fn status(stage: &Stage) -> String {
    let (host, report) = (stage.host(), stage.preview(None));
    Status { spec: host.spec(), report: &report }.text(&stage.now(), Colours::Off)
}

#[test]
fn a_stolen_key() {
    let stage = Stage::usual();
    shows(&plan::plan_of(&stage, Some(Request::CompromisedKey)));
    shows(&passes(&stage, Some(Request::CompromisedKey), &[130, 3700]));
    shows(&status(&stage));
}

#[test]
fn a_ca_that_is_not_to_be_trusted() {
    let stage = Stage::usual();
    let request = Some(Request::CompromisedCa(Some("other".to_owned())));
    shows(&plan::plan_of(&stage, request.clone()));
    shows(&passes(&stage, request, &[3700, 130, 3700]));
}

#[test]
fn a_change_of_ca_and_a_change_of_mind() {
    let stage = Stage::usual();
    shows(&plan::plan_of(&stage, new_ca()));
    shows(&passes(&stage, new_ca(), &[]));
    stage.wait(1800);
    shows(&status(&stage));
    shows(&passes(&stage, Some(Request::Abort), &[]));
}
