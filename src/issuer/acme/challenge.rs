//! Proof of control over names: by TXT records (dns-01, RFC 8555, section 8.4) or by HTTP (http-01,
//! section 8.3, see [`http_proof`]).
//!
//! The CA may ask any name server of the zone, so it is called only when all of them answer right:
//! a proof that fails costs an order, and counts against the CA's limits. What is published is on
//! file before, and is removed when the errand ends, however it ends.

use std::sync::Arc;

use instant_acme::{AuthorizationStatus, ChallengeStatus, ChallengeType, Identifier, Order};

use super::errand::{Errand, Progress};
use super::failure::{Cause, Failure, describe_problem, kind};
use super::http::Transport;
use super::http_proof::{self, Listener, is_token};
use super::patience::Looks;
use crate::config::ProofConfig;
use crate::durable;
use crate::issuer::orders::ChallengeRecord;
use crate::name::DnsName;
use crate::time::Ttl;

/// The label below which proofs are published.
const LABEL: &str = "_acme-challenge";

/// The TTL of a challenge. It is looked up once; a validating CA that caches must not be told of the
/// one before.
const TTL: Ttl = Ttl::from_seconds(1);

/// What proves control over one name.
enum Proof {
    /// A TXT record.
    Dns(TxtProof),
    /// What is answered by HTTP.
    Http {
        /// What it is asked for by.
        token: String,
        /// The answer.
        content: String,
    },
}

/// What has to be in the DNS for one name.
struct TxtProof {
    /// The zone that it goes into.
    zone: DnsName,
    /// The name that it goes to.
    owner: DnsName,
    /// The value.
    value: String,
}

/// What the CA thinks of all proofs.
enum Opinion {
    /// It is still looking.
    Undecided,
    /// All are accepted.
    Accepted,
    /// One is not.
    Refused(Cause),
}

impl Errand<'_> {
    /// Proves control over all names that the CA is not convinced of.
    pub(super) async fn authorize(
        &mut self,
        order: &mut Order,
        transport: &Transport,
    ) -> Result<Progress, Failure> {
        let proofs = self.proofs(order).await?;
        if proofs.is_empty() {
            return Ok(Progress::Working);
        }
        // It answers until the CA has decided.
        let _listener = self.publish(&proofs).await?;
        self.outlast_former_proofs(&proofs).await;
        match self.call_the_judge(order).await {
            // A process that was ended may have called before, and the CA has looked meanwhile.
            Err(failure) if failure.kind() == "malformed" => {
                self.opinion(order).await?;
                self.call_the_judge(order).await?;
            }
            called => called?,
        }
        let heard = self.hear_the_judge(order, transport).await;
        for proof in &proofs {
            if let Proof::Dns(TxtProof { owner, .. }) = proof {
                self.acme.recent.note(owner, self.acme.around.clock.now());
            }
        }
        heard?;
        Ok(Progress::Moved)
    }

    /// Waits until no cache holds a proof that was there when the CA last looked.
    async fn outlast_former_proofs(&self, proofs: &[Proof]) {
        let clock = &self.acme.around.clock;
        for proof in proofs {
            if let Proof::Dns(TxtProof { owner, .. }) = proof {
                clock.sleep(self.acme.recent.held(owner, TTL, clock.now())).await;
            }
        }
    }

    /// The proofs that the CA still wants.
    async fn proofs(&self, order: &mut Order) -> Result<Vec<Proof>, Failure> {
        let doing = self.doing("look at the authorizations");
        let mut proofs = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(next) = authorizations.next().await {
            let mut authorization = next.map_err(Failure::of(doing.clone()))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let kinds = authorization.challenges.iter();
            let offered: Vec<String> = kinds.map(|c| format!("{:?}", c.r#type)).collect();
            let name = authorization.identifier().to_string();
            let wanted = self.challenge_type();
            let Some(challenge) = authorization.challenge(wanted.clone()) else {
                let (wanted, offered) = (format!("{wanted:?}"), offered.join(", "));
                return Err(Failure::of(doing)(Cause::NoChallenge { wanted, name, offered }));
            };
            let content = challenge.key_authorization();
            let Identifier::Dns(name) = challenge.identifier().identifier else {
                let reason = format!("it wants a proof for {name}, which is no DNS name");
                return Err(Failure::of(doing)(Cause::Garbled(reason)));
            };
            proofs.push(match self.acme.proof {
                ProofConfig::Dns => Proof::Dns(self.txt_proof(name, content.dns_value()).await?),
                ProofConfig::Listener(_) | ProofConfig::Webroot(_) => {
                    let token = challenge.token.clone();
                    if !is_token(&token) {
                        let reason = format!("`{token}` is no token for http-01");
                        return Err(Failure::of(doing)(Cause::Garbled(reason)));
                    }
                    Proof::Http { token, content: content.as_str().to_owned() }
                }
            });
        }
        Ok(proofs)
    }

    /// The challenge that is answered.
    fn challenge_type(&self) -> ChallengeType {
        match self.acme.proof {
            ProofConfig::Dns => ChallengeType::Dns01,
            ProofConfig::Listener(_) | ProofConfig::Webroot(_) => ChallengeType::Http01,
        }
    }

    /// Where the proof for `name` goes: to what an alias there leads to, as the CA follows it.
    async fn txt_proof(&self, name: &str, value: String) -> Result<TxtProof, Failure> {
        let doing = || format!("find the place of the proof for {name}");
        let owner = name
            .parse()
            .and_then(|name: DnsName| name.child(LABEL))
            .map_err(|e| Failure::of(doing())(Cause::Garbled(e.to_string())))?;
        let owner = self.acme.around.dns.canonical(&owner).await;
        let owner = owner.map_err(Failure::of(doing()))?;
        let zone = self.acme.around.dns.zone_of(&owner).await;
        let zone = zone.map_err(Failure::of(doing()))?;
        Ok(TxtProof { zone, owner, value })
    }

    /// Puts the proofs where the CA looks for them, and waits until every name server serves those in
    /// the DNS. What is returned answers as long as it is kept.
    async fn publish(&mut self, proofs: &[Proof]) -> Result<Option<Arc<Listener>>, Failure> {
        self.note_down(proofs)?;
        let listener = match self.acme.proof {
            ProofConfig::Listener(address) => {
                let listener = self.acme.around.listeners.at(address).await;
                Some(listener.map_err(|e| {
                    let reason = e.to_string();
                    Failure::of(self.doing("prove control"))(Cause::Listen { address, reason })
                })?)
            }
            ProofConfig::Dns | ProofConfig::Webroot(_) => None,
        };
        let publisher = &self.acme.around.publisher;
        for proof in proofs {
            match (proof, &self.acme.proof, &listener) {
                (Proof::Dns(TxtProof { zone, owner, value }), ..) => publisher
                    .add_txt(zone, owner, value, TTL)
                    .await
                    .map_err(Failure::of(format!("publish the proof at {owner}")))?,
                (Proof::Http { token, content }, ProofConfig::Webroot(webroot), _) => {
                    let left = http_proof::leave(webroot, token, content);
                    let doing = self.doing("leave the proof for the web server");
                    left.map_err(|e| Failure::of(doing)(Cause::Webroot(e)))?;
                }
                (Proof::Http { token, content }, _, Some(listener)) => {
                    listener.answer(token, content);
                }
                (Proof::Http { .. }, ProofConfig::Dns | ProofConfig::Listener(_), None) => {}
            }
        }
        for proof in proofs {
            if let Proof::Dns(proof) = proof {
                self.see_everywhere(proof).await?;
            }
        }
        Ok(listener)
    }

    /// Keeps on file what will have to be removed.
    fn note_down(&mut self, proofs: &[Proof]) -> Result<(), Failure> {
        for proof in proofs {
            match (proof, &self.acme.proof) {
                (Proof::Dns(TxtProof { zone, owner, value }), _) => {
                    let record = ChallengeRecord {
                        zone: zone.as_str().to_owned(),
                        name: owner.as_str().to_owned(),
                        value: value.clone(),
                    };
                    if !self.record.challenges.contains(&record) {
                        self.record.challenges.push(record);
                    }
                }
                (Proof::Http { token, .. }, ProofConfig::Webroot(webroot)) => {
                    let file = http_proof::place(webroot, token);
                    if !self.record.files.contains(&file) {
                        self.record.files.push(file);
                    }
                }
                // A listener is gone with the process.
                (Proof::Http { .. }, ProofConfig::Dns | ProofConfig::Listener(_)) => {}
            }
        }
        self.keep()
    }

    /// Waits until every name server serves the proof.
    async fn see_everywhere(&self, proof: &TxtProof) -> Result<(), Failure> {
        let around = &self.acme.around;
        let limit = self.acme.limits.propagation;
        let start = around.clock.now();
        // The looks themselves take time as well, when a name server is silent.
        let mut looks = Looks::new(self.acme.limits.look, limit);
        loop {
            let seen = around.dns.txt_is_everywhere(
                &proof.owner,
                &proof.value,
                &around.ignored_name_servers,
            );
            if seen.await {
                return Ok(());
            }
            let pause =
                looks.pause(None).filter(|_| around.clock.now().elapsed_since(&start) < limit);
            let Some(pause) = pause else {
                let doing = self.doing("prove control");
                return Err(Failure::of(doing)(Cause::NotEverywhere {
                    zone: proof.zone.clone(),
                    owner: proof.owner.clone(),
                    value: proof.value.clone(),
                    limit,
                }));
            };
            around.clock.sleep(pause).await;
        }
    }

    /// Asks the CA to look at the proofs that it was not asked to look at yet.
    async fn call_the_judge(&self, order: &mut Order) -> Result<(), Failure> {
        let doing = self.doing("ask the CA to look at the proof");
        let mut authorizations = order.authorizations();
        while let Some(next) = authorizations.next().await {
            let mut authorization = next.map_err(Failure::of(doing.clone()))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let Some(mut challenge) = authorization.challenge(self.challenge_type()) else {
                continue;
            };
            if challenge.status == ChallengeStatus::Pending {
                let asked = challenge.set_ready().await;
                asked.map_err(Failure::of(doing.clone()))?;
            }
        }
        Ok(())
    }

    /// Waits until the CA has decided over all proofs.
    async fn hear_the_judge(
        &mut self,
        order: &mut Order,
        transport: &Transport,
    ) -> Result<(), Failure> {
        let limit = self.acme.limits.decision;
        let mut looks = Looks::new(self.acme.limits.look, limit);
        let doing = self.doing("prove control");
        loop {
            match self.opinion(order).await? {
                Opinion::Accepted => return Ok(()),
                Opinion::Refused(cause) => {
                    self.give_up(&cause.to_string())?;
                    return Err(Failure::of(doing)(cause));
                }
                Opinion::Undecided => {}
            }
            let Some(pause) = looks.pause(transport.take_pace()) else {
                return Err(Failure::of(doing)(Cause::Undecided(limit)));
            };
            self.acme.around.clock.sleep(pause).await;
        }
    }

    /// What the CA thinks of the proofs now.
    async fn opinion(&self, order: &mut Order) -> Result<Opinion, Failure> {
        let doing = self.doing("ask the CA what it thinks of the proof");
        let mut opinion = Opinion::Accepted;
        let mut authorizations = order.authorizations();
        while let Some(next) = authorizations.next().await {
            let mut authorization = next.map_err(Failure::of(doing.clone()))?;
            if authorization.status != AuthorizationStatus::Valid {
                let refreshed = authorization.refresh().await;
                refreshed.map_err(Failure::of(doing.clone()))?;
            }
            match authorization.status {
                AuthorizationStatus::Valid => {}
                AuthorizationStatus::Pending => opinion = Opinion::Undecided,
                AuthorizationStatus::Invalid
                | AuthorizationStatus::Revoked
                | AuthorizationStatus::Expired
                | AuthorizationStatus::Deactivated => {
                    return Ok(Opinion::Refused(refusal(&authorization)));
                }
            }
        }
        Ok(opinion)
    }

    /// Why an order without a reason of its own is invalid: the refused proof.
    pub(super) async fn refused_proof(&self, order: &mut Order) -> String {
        match self.opinion(order).await {
            Ok(Opinion::Refused(cause)) => cause.to_string(),
            Ok(Opinion::Accepted | Opinion::Undecided) => "no reason given".to_owned(),
            Err(failure) => failure.to_string(),
        }
    }

    /// Removes the proofs. What cannot be removed is tried again when the order is asked for again;
    /// until then it is of no use to anybody.
    pub(super) async fn clean(&mut self) {
        if self.record.challenges.is_empty() && self.record.files.is_empty() {
            return;
        }
        let mut left = Vec::new();
        for challenge in std::mem::take(&mut self.record.challenges) {
            if let Err(reason) = self.remove(&challenge).await {
                tracing::warn!(
                    name = challenge.name,
                    value = challenge.value,
                    reason,
                    "a TXT record of an ACME challenge could not be removed"
                );
                left.push(challenge);
            }
        }
        self.record.challenges = left;
        self.record.files.retain(|file| match durable::remove(file) {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!("{}, which proved control to the CA", error.describe());
                true
            }
        });
        if let Err(failure) = self.keep() {
            tracing::warn!("{failure}");
        }
    }

    /// Removes one proof from the DNS.
    async fn remove(&self, challenge: &ChallengeRecord) -> Result<(), String> {
        let zone = challenge.zone.parse().map_err(text)?;
        let name = challenge.name.parse().map_err(text)?;
        let publisher = &self.acme.around.publisher;
        let removed = publisher.remove_txt(&zone, &name, &challenge.value).await;
        removed.map_err(text)
    }
}

/// An error as text.
fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Why the CA refused the proof of an authorization.
fn refusal(authorization: &instant_acme::AuthorizationHandle<'_>) -> Cause {
    let name = authorization.identifier().to_string();
    let problem = authorization.challenges.iter().find_map(|c| c.error.as_ref());
    Cause::Challenge {
        name,
        reason: problem.map_or_else(
            || format!("the authorization is {:?}", authorization.status).to_lowercase(),
            describe_problem,
        ),
        kind: problem.map(kind).unwrap_or_default().to_owned(),
    }
}
