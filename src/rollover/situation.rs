//! Where a host stands: the questions that the decision asks of state and observation.

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Action, Problem, Reason, Wait};
use super::decide::Intent;
use super::history::{Service, Until, Version};
use super::observation::{Answer, Observation, OwnerSight, ServerAddress, Sight};
use super::presentable::Presentable;
use super::safety::{self, Obstacle};
use super::spec::HostSpec;
use super::state::{self, Bundle, BundleId, HostState, Kind, Step};
use crate::pki::{Certificate, ChainId};
use crate::policy::{BeforeExpiry, OnRenewal};
use crate::time::{Moment, Span, Timestamp};
use crate::tlsa::{TlsaOwner, TlsaRrset, Usage};

/// A certificate is not renewed before it is a day old, or has lived a tenth of its life.
const ADVICE_EARLIEST: Span = Span::from_seconds(86_400);

/// A certificate is renewed a tenth of its life before its end, whatever its issuer advises.
const ADVICE_LATEST: BeforeExpiry = BeforeExpiry::Fraction { numerator: 1, denominator: 10 };

/// How long after an update was sent it is worth waiting in the same pass for servers to show it:
/// BIND signs a moment later, and a notified secondary follows within seconds.
const PROPAGATION_PATIENCE: Span = Span::from_seconds(5);

/// All that a decision is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    /// What the configuration says.
    pub(crate) spec: &'a HostSpec,
    /// What the operator and this pass bring.
    pub(crate) intent: &'a Intent,
    /// The ledger, with the look taken in.
    pub(crate) state: &'a HostState,
    /// The look.
    pub(crate) seen: &'a Observation,
    /// The moment of the decision.
    pub(crate) now: Moment,
}

impl Situation<'_> {
    /// Takes what the server's files hold as the present bundle, at first sight of a host.
    pub(crate) fn adoption(&self) -> Option<Action> {
        if self.state.current.is_some() || self.state.rollover.is_some() {
            return None;
        }
        let held: BTreeSet<_> = self.seen.installed.iter().map(|found| found.key_type).collect();
        let all = self.spec.key_types.iter().all(|key_type| held.contains(key_type));
        all.then(|| {
            let wanted = |found: &&super::observation::Installed| {
                self.spec.key_types.contains(&found.key_type)
            };
            let installed: Vec<_> = self.seen.installed.iter().filter(wanted).cloned().collect();
            let issuer = self.issuer_of(&installed);
            Action::Adopt { installed, issuer }
        })
    }

    /// The issuer in the configuration whose known trust anchor is that of the chains found.
    fn issuer_of(&self, installed: &[super::observation::Installed]) -> String {
        let issued = |anchors: &[Certificate]| {
            installed.iter().all(|found| {
                found.anchor.as_ref().is_some_and(|a| anchors.iter().any(|k| k.spki() == a.spki()))
            })
        };
        let known = self.spec.known_anchors.iter().filter(|(_, anchors)| !anchors.is_empty());
        let mut named = known.filter(|(_, anchors)| issued(anchors));
        named.next().map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// When a bundle is due for renewal: by its dates, or at once where it lacks a key type, a name,
    /// or has a key that is older than the policy allows.
    pub(crate) fn due(&self, bundle: &Bundle) -> Timestamp {
        let types: Vec<_> = bundle.credentials.keys().copied().collect();
        let mut wanted = self.spec.key_types.clone();
        wanted.sort();
        let named = bundle
            .chains()
            .all(|chain| self.spec.names.iter().all(|name| chain.leaf().is_valid_for(name)));
        if types != wanted || !named {
            return Timestamp::MIN;
        }
        let by_date = bundle.chains().map(|chain| {
            let leaf = chain.leaf();
            match self.intent.advised.get(&chain.id()) {
                // The issuer's wish wins, but for one that would let the certificate expire, or
                // have it replaced again and again.
                Some(at) => {
                    let (from, until) = (leaf.not_before(), leaf.not_after());
                    let earliest = from + ADVICE_EARLIEST.min(until.since(from).fraction(1, 10));
                    (*at).max(earliest).min(ADVICE_LATEST.due(from, until))
                }
                None => self.spec.policy.before_expiry.due(leaf.not_before(), leaf.not_after()),
            }
        });
        let by_key = bundle.credentials.values().filter_map(|credential| {
            match self.spec.policy.key.on_renewal {
                // Where another client makes the keys, it decides how long they are kept.
                OnRenewal::Reuse { rotate_every: Some(age) } if !self.is_external() => {
                    Some(credential.key.at + age)
                }
                OnRenewal::Reuse { .. } | OnRenewal::New => None,
            }
        });
        by_date.chain(by_key).min().unwrap_or(Timestamp::MIN)
    }

    /// The next standby key to be made, where the policy keeps them.
    pub(crate) fn standby_to_make(&self) -> Option<Action> {
        if !self.spec.policy.key.standby || self.intent.tried.contains(&Step::MakeKey) {
            return None;
        }
        if self.is_external() {
            return self.standby_to_take();
        }
        let missing = self.spec.key_types.iter().find(|t| !self.state.standby.contains_key(t))?;
        Some(Action::MakeStandby { key_type: *missing })
    }

    /// The next certificate to be revoked, once it is out of service.
    pub(crate) fn revocation(&self) -> Option<Action> {
        let drain = self.spec.policy.timing.drain;
        let served: BTreeSet<ChainId> =
            self.state.served.possible(drain, &self.now).map(|(chain, _)| chain.id()).collect();
        let waits = self.state.failures.get(&Step::Revoke);
        if waits.is_some_and(|failure| self.now.wall < failure.not_before)
            || self.intent.tried.contains(&Step::Revoke)
        {
            return None;
        }
        let due = self.state.to_revoke.iter().find(|r| !served.contains(&r.chain.id()))?;
        Some(Action::Revoke(due.clone()))
    }

    /// Whether the present bundle has to be put in place once more: nobody knows whether the last
    /// time succeeded, or a listener presents what no record fits.
    pub(crate) fn must_redeploy(&self, id: BundleId, bundle: &Bundle) -> bool {
        let cannot = self.intent.tried.contains(&Step::Deploy) || self.intent.keyless.contains(&id);
        if cannot || !self.obstacles(bundle).is_empty() {
            return false;
        }
        let Some(deployment) = &self.state.served.deployment else {
            return false;
        };
        if deployment.bundle != id || deployment.done.is_none() {
            return true;
        }
        let timeout = self.spec.policy.timing.probe_timeout;
        let just_done =
            deployment.done.is_some_and(|done| self.now.until_elapsed(&done, timeout).is_some());
        !just_done && self.progress(bundle).shows_others() && self.has_gap()
    }

    /// Whether some sender meets a chain that does not fit, now.
    fn has_gap(&self) -> bool {
        safety::gaps(self.spec, self.state, &self.now).iter().any(|gap| gap.fit.is_none())
    }

    /// Whether no server publishes anything for the host yet.
    pub(crate) fn is_unpublished(&self) -> bool {
        let absent = |owner: &TlsaOwner| match self.seen.owners.get(owner) {
            Some(OwnerSight::Seen(answers)) => {
                answers.at_primary.as_ref().is_ok_and(TlsaRrset::is_absent)
            }
            Some(OwnerSight::Unknown { .. } | OwnerSight::Unsigned { .. }) | None => false,
        };
        self.spec.owners.iter().all(absent)
    }

    /// Why an owner may not enter DANE: a listener without TLS, or one that does not say what it
    /// presents (RFC 7672, section 2.2: no TLSA records for a server without STARTTLS).
    pub(crate) fn without_tls(&self, owner: &TlsaOwner) -> Option<Problem> {
        let hint = "let the server offer TLS with the certificate that rollover deploys; records \
                    for a server without it would stop its mail";
        let mut presents = false;
        for (listener, sight) in self.seen.listeners.iter().filter(|(l, _)| l.owner == *owner) {
            let reason = match sight {
                Sight::Presented(_) => {
                    presents = true;
                    continue;
                }
                Sight::NotOffered => continue,
                Sight::NoTls { reason } => format!("offers no TLS ({reason})"),
                Sight::Silent { reason } => format!("does not say what it presents: {reason}"),
            };
            let message = format!("{owner} is not published: {} {reason}", listener.address);
            return Some(Problem { message, hint: hint.to_owned() });
        }
        (!presents).then(|| Problem {
            message: format!("{owner} is not published: no address presents a certificate"),
            hint: hint.to_owned(),
        })
    }

    /// Whether the trust anchor of what will be issued is known, and another than the present one.
    pub(crate) fn is_known_beforehand(&self, target: &Bundle) -> bool {
        let kind = self.state.rollover.as_ref().map(|rollover| rollover.kind);
        let known = self.spec.known_anchors(&target.issuer);
        matches!(kind, Some(Kind::CaChange | Kind::Compromise))
            && !known.is_empty()
            && target.chains().next().is_none()
            && self.seen.listeners.values().any(|sight| matches!(sight, Sight::Presented(_)))
    }

    /// What is wrong with a target whose chain lacks the CA that a usage 2 record would name.
    pub(crate) fn missing_anchor(&self, target: &Bundle) -> Option<Problem> {
        let needed = self.spec.policy.records.iter().any(|p| p.usage == Usage::DaneTa);
        let issued = target.credentials.values().filter_map(|c| c.issued.as_ref());
        let mut without = issued.filter(|issued| issued.anchor.is_none());
        without.next().filter(|_| needed).map(|issued| Problem {
            message: format!(
                "the chain that {} issued for {} does not hold the CA that `2 1 1` has to name; \
                 it is held back, and mail is not affected",
                issued.chain.leaf().issuer(),
                self.spec.name
            ),
            hint: "set `trust-anchor = \"issuing-ca\"`, or choose a policy without usage 2"
                .to_owned(),
        })
    }

    /// What is wrong with a bundle that its own records would not fit, since what would name it is
    /// barred.
    pub(crate) fn barred_bundle(&self, bundle: &Bundle) -> Option<Problem> {
        if super::records::may_name(self.spec, self.state, bundle, self.now.wall) {
            return None;
        }
        Some(Problem {
            message: format!(
                "no record may name the certificate of {} as the policy asks for: its key or its \
                 CA was compromised, or it is not valid for the host now",
                self.spec.name
            ),
            hint: "obtain another one: `rollover --new-ca ISSUER` or `rollover --renew`".to_owned(),
        })
    }

    /// The chains that may be presented and are not the target's, as what is waited for.
    pub(crate) fn others_served(&self, target: &Bundle) -> Vec<Reason> {
        let own = target.chain_ids();
        let possible = self.state.served.possible(self.spec.policy.timing.drain, &self.now);
        possible
            .filter(|(chain, _)| !own.contains(&chain.id()))
            .map(|(chain, until)| match until {
                Until::At(until) => Reason::Draining { chain: chain.id(), until },
                Until::Unseen => Reason::Draining { chain: chain.id(), until: Timestamp::MAX },
            })
            .collect()
    }

    /// The owners of which the look shows nothing to rely on: somebody may have changed them.
    pub(crate) fn unseen_owners(&self) -> Vec<Reason> {
        let unseen = self.spec.owners.iter().filter_map(|owner| {
            let reason = match self.seen.owners.get(owner) {
                Some(OwnerSight::Seen(answers)) => {
                    let secure = |a: &Answer| matches!(a, Answer::Secure(_) | Answer::Wildcard(_));
                    if answers.answers.values().any(secure) {
                        return None;
                    }
                    "no authoritative server gives an answer to rely on".to_owned()
                }
                Some(OwnerSight::Unknown { reason }) => reason.clone(),
                Some(OwnerSight::Unsigned { zone }) => format!("its zone is not signed ({zone})"),
                None => "it was not looked at".to_owned(),
            };
            Some(Reason::Zone { owner: owner.clone(), reason })
        });
        unseen.collect()
    }

    /// What stands in the way of presenting a bundle.
    pub(crate) fn obstacles(&self, bundle: &Bundle) -> Vec<Obstacle> {
        let chains = bundle.presentables(self.spec.known_anchors(&bundle.issuer));
        safety::obstacles(self.spec, self.state, &chains, &self.now)
    }

    /// Whether what the primary holds at `owner` fits what is served and the target, and names
    /// nothing that is barred.
    pub(crate) fn is_bridge(
        &self,
        target: &Bundle,
        owner: &TlsaOwner,
        present: &TlsaRrset,
    ) -> bool {
        let degree = Some(self.spec.policy.fit);
        let known = self.spec.known_anchors(&target.issuer);
        let chains = target.presentables(known);
        let fits = |chain: &Presentable| {
            degree <= chain.fit(&present.records, owner.base(), self.now.wall)
        };
        let barred = present.records.iter().any(|record| self.state.bars(record));
        let strands = safety::stranded_by(self.spec, self.state, owner, present, &self.now);
        chains.iter().all(fits) && strands.is_empty() && !barred
    }

    /// Whether the primary holds a record of what is barred.
    pub(crate) fn publishes_barred(&self) -> bool {
        self.spec.owners.iter().any(|owner| {
            state::at_primary(self.seen, owner)
                .is_some_and(|rrset| rrset.records.iter().any(|record| self.state.bars(record)))
        })
    }

    /// What is waited for, where these versions stand in the way.
    pub(crate) fn reasons_of(&self, obstacles: &[Obstacle]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for obstacle in obstacles {
            for reason in
                self.reasons_of_version(&obstacle.owner, &obstacle.version, obstacle.until)
            {
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
        reasons
    }

    /// What is waited for until no cache holds anything but what the primary holds.
    pub(crate) fn reasons_until_settled(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for owner in &self.spec.owners {
            let (Some(history), Some(present)) =
                (self.state.histories.get(owner), state::at_primary(self.seen, owner))
            else {
                continue;
            };
            for (version, until) in history.cached(&self.spec.policy.timing, &self.now) {
                let settled = version.rrset().is_some_and(|r| r.records == present.records);
                if !settled {
                    reasons.extend(self.reasons_of_version(owner, version, until));
                }
            }
            // Published is what every server answers: the primary alone is not enough.
            let lagging = self.servers_without(owner, present);
            reasons.extend(
                lagging.into_iter().filter(|reason| !reasons.contains(reason)).collect::<Vec<_>>(),
            );
        }
        reasons
    }

    /// Why a version is still cached.
    fn reasons_of_version(
        &self,
        owner: &TlsaOwner,
        version: &Version,
        until: Until,
    ) -> Vec<Reason> {
        match (until, version.service) {
            (Until::At(until), _) => vec![Reason::Caches {
                owner: owner.clone(),
                content: version.content.clone(),
                ttl: version.content.ttl(),
                until,
            }],
            (Until::Unseen, Service::Sent { at, longest_delay }) => {
                let held = state::at_primary(self.seen, owner);
                if let Some(held) = held.filter(|held| version.rrset() == Some(held)) {
                    return self.servers_without(owner, held);
                }
                let until = self.now.until_elapsed(&at, longest_delay).unwrap_or(self.now.wall);
                vec![Reason::UnderWay { owner: owner.clone(), until }]
            }
            (Until::Unseen, _) => self.servers_with(owner, version),
        }
    }

    /// The servers that serve a version, may come to it yet, or do not say what they serve.
    fn servers_with(&self, owner: &TlsaOwner, version: &Version) -> Vec<Reason> {
        let (Some(history), Some(OwnerSight::Seen(answers))) =
            (self.state.histories.get(owner), self.seen.owners.get(owner))
        else {
            return self.server_reasons(owner, |_, _| None);
        };
        let behind: BTreeMap<_, _> = history.servers_not_past(version, answers).collect();
        self.server_reasons(owner, |server, rrset| {
            behind.contains_key(server).then(|| match version.rrset() {
                Some(other) if other != rrset => {
                    format!("serves {rrset}, and may be about to serve {other}: it lags")
                }
                Some(_) | None => format!("still serves {rrset}"),
            })
        })
    }

    /// The servers that do not serve an RRset's records.
    fn servers_without(&self, owner: &TlsaOwner, wanted: &TlsaRrset) -> Vec<Reason> {
        self.server_reasons(owner, |_, rrset| {
            (rrset.records != wanted.records).then(|| format!("still serves {rrset}"))
        })
    }

    /// What `describe` says of servers and their RRsets, and the servers that do not say what they
    /// serve.
    fn server_reasons(
        &self,
        owner: &TlsaOwner,
        describe: impl Fn(&ServerAddress, &TlsaRrset) -> Option<String>,
    ) -> Vec<Reason> {
        let answers = match self.seen.owners.get(owner) {
            Some(OwnerSight::Seen(answers)) => answers,
            Some(OwnerSight::Unknown { reason }) => {
                return vec![Reason::Zone { owner: owner.clone(), reason: reason.clone() }];
            }
            Some(OwnerSight::Unsigned { .. }) | None => return Vec::new(),
        };
        let said = |server: &ServerAddress, answer: &Answer| match answer {
            Answer::Secure(rrset) | Answer::Wildcard(rrset) => describe(server, rrset),
            Answer::Untrusted { reason } => Some(format!("gives no answer to rely on: {reason}")),
            Answer::Silent { reason } => Some(format!("does not answer ({reason})")),
        };
        let reasons = answers.answers.iter().filter_map(|(server, answer)| {
            let answer = said(server, answer)?;
            Some(Reason::NameServer { owner: owner.clone(), server: server.clone(), answer })
        });
        reasons.collect()
    }

    /// Until when it is worth looking again at once: an update was sent a moment ago, and some
    /// server does not show it yet.
    pub(crate) fn lingering(&self, reasons: &[Reason]) -> Option<Timestamp> {
        if !reasons.iter().any(|reason| matches!(reason, Reason::NameServer { .. })) {
            return None;
        }
        let versions = self.state.histories.values().flat_map(|history| &history.versions);
        let until = versions.filter_map(|version| match version.service {
            Service::Sent { at, .. } | Service::Ongoing { since: at } => {
                self.now.until_elapsed(&at, PROPAGATION_PATIENCE)
            }
            Service::Ended { .. } => None,
        });
        until.max()
    }

    /// A chain in words: whose certificate it is, and which.
    pub(crate) fn describe_chain(&self, id: &ChainId) -> String {
        let presences = self.state.served.presences.iter().map(|presence| &presence.chain);
        let mut chain = presences.filter_map(|chain| match chain {
            Presentable::Issued(chain) if chain.id() == *id => Some(chain),
            Presentable::Issued(_) | Presentable::Expected(_) => None,
        });
        match chain.next_back() {
            Some(chain) => format!(
                "a certificate of {} (serial {}, key {})",
                chain.leaf().issuer(),
                chain.leaf().serial(),
                chain.leaf().spki_sha256().short()
            ),
            None => "another certificate".to_owned(),
        }
    }
}

impl Wait {
    /// A wait for these reasons: over when the last of them is, if that is known of all.
    pub(crate) fn new(reasons: Vec<Reason>, linger: Option<Timestamp>) -> Self {
        let ends: Option<Vec<Timestamp>> = reasons.iter().map(Reason::until).collect();
        let until = ends.and_then(|ends| ends.into_iter().max()).filter(|t| *t < Timestamp::MAX);
        Self { reasons, until, linger }
    }
}

impl Reason {
    /// When it will be over; `None` where nobody can tell.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Caches { until, .. }
            | Self::UnderWay { until, .. }
            | Self::Draining { until, .. }
            | Self::Retry { until, .. } => Some(*until).filter(|t| *t < Timestamp::MAX),
            Self::NameServer { .. }
            | Self::Zone { .. }
            | Self::Listener { .. }
            | Self::NoListener
            | Self::NextPass { .. } => None,
        }
    }
}
