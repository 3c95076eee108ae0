//! A certificate that everybody may trust is not replaced by one of a CA for trials.
//!
//! Senders that look at DANE would take it: the records name it. But others look for a CA that they
//! know, and a directory for trials left in a configuration is a mistake that is seen too late.

use crate::pki::Chain;
use crate::ports::Issuer;
use crate::rollover::transition::FailureReport;

/// Why nothing is ordered from `port`, which the configuration calls `issuer`; `None` where that is
/// all right.
pub(super) fn refusal(
    port: &dyn Issuer,
    issuer: &str,
    present: Option<&Chain>,
) -> Option<FailureReport> {
    let present = present.filter(|chain| port.is_trial_beside(chain))?;
    Some(report(issuer, present))
}

/// The report that nothing is ordered.
fn report(issuer: &str, present: &Chain) -> FailureReport {
    FailureReport {
        message: format!(
            "nothing is ordered from `{issuer}`: by its URL it is a CA for trials, and the present \
             certificate is by {}, below a root that this machine trusts",
            present.leaf().issuer()
        ),
        hint:
            "write the URL of the CA's real directory, or try it with a host that serves nobody; \
               `rollover --abort` gives the rollover up"
                .to_owned(),
        needs_operator: true,
        not_before: None,
        by_issuer: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Certificate;

    #[test]
    fn the_report_names_the_ca_that_is_trusted() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "Everybody's CA");
        let certificate = parameters.self_signed(&key).unwrap();
        let chain = Chain::new(vec![Certificate::from_der(certificate.der()).unwrap()]).unwrap();
        let report = report("le", &chain);
        assert!(report.needs_operator);
        assert!(report.message.contains("`le`") && report.message.contains("Everybody's CA"));
    }
}
