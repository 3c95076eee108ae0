//! One order's way to its certificate: look where it stands at the CA, take one step, look again.
//!
//! What was stored before a step says only what might have happened. So a step is never repeated
//! because an answer was lost: the CA is asked, and a certificate that it issued is fetched.

use instant_acme::{CertificateIdentifier, Identifier, NewOrder, OrderStatus};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SanType};
use rustls_pki_types::CertificateDer;

use super::Acme;
use super::account::Session;
use super::failure::{Cause, Failure, describe_problem, kind};
use super::patience::Patience;
use crate::config::AnchorChoice;
use crate::issuer::orders::{GivenUp, Placed, Record, Step, certificates};
use crate::issuer::verify;
use crate::name::DnsName;
use crate::pki::Chain;
use crate::ports::Order;

/// One order on its way.
pub(super) struct Errand<'a> {
    /// The issuer.
    pub(super) acme: &'a Acme,
    /// What was asked for.
    order: &'a Order,
    /// How far it is, as on disk.
    pub(super) record: Record,
    /// Whether the order at the CA was placed by this errand. One that was placed earlier and came
    /// to nothing is replaced at once; one of our own is reported, and replaced the next time.
    placed_here: bool,
    /// Whether a lost account was made anew already.
    account_renewed: bool,
    /// Whether the CA is not told which certificate is replaced: it did not like that.
    hides_former: bool,
}

/// What came of a step.
#[derive(Debug)]
pub(super) enum Progress {
    /// The order is further than it was.
    Moved,
    /// The CA works on it.
    Working,
    /// The chain is there, and stored.
    Issued(Chain),
}

impl<'a> Errand<'a> {
    /// Takes the order up where it was left.
    pub(super) fn begin(acme: &'a Acme, order: &'a Order) -> Result<Self, Failure> {
        let doing = || format!("take up the order {}", order.id);
        let key = order.key.spki_sha256().to_string();
        let names: Vec<String> = order.names.iter().map(|n| n.as_str().to_owned()).collect();
        let kept = acme.orders.record(&order.id);
        let kept = kept.map_err(Failure::of(doing()))?;
        let record = kept.unwrap_or_else(|| Record::new(key.clone(), names.clone()));
        if record.key != key || record.names != names {
            let tell = |key: &str, names: &[String]| {
                let start: String = key.chars().take(8).collect();
                format!("key {start} and {}", names.join(", "))
            };
            return Err(Failure::of(doing())(Cause::OtherOrder {
                there: tell(&record.key, &record.names),
                here: tell(&key, &names),
            }));
        }
        Ok(Self {
            acme,
            order,
            record,
            placed_here: false,
            account_renewed: false,
            hides_former: false,
        })
    }

    /// Goes all the way, as far as patience reaches.
    pub(super) async fn walk(&mut self) -> Result<Chain, Failure> {
        let mut patience = Patience::new(self.acme.limits);
        loop {
            let pause = match self.advance().await {
                Ok(Progress::Issued(chain)) => return Ok(chain),
                Ok(Progress::Moved) => {
                    patience.step()?;
                    continue;
                }
                Ok(Progress::Working) => patience.look(self.asked_pace().await)?,
                Err(failure) if self.lost_account(&failure) => {
                    self.account_renewed = true;
                    self.acme.accounts.forget().await?;
                    continue;
                }
                Err(failure) => patience.endure(failure)?,
            };
            self.acme.around.clock.sleep(pause).await;
        }
    }

    /// Takes one step.
    async fn advance(&mut self) -> Result<Progress, Failure> {
        let session = self.acme.accounts.open().await?;
        let elsewhere = |placed: &Placed| placed.directory != self.acme.directory;
        if self.record.placed.as_ref().is_some_and(elsewhere) {
            self.give_up("it was placed at another CA")?;
        }
        let Some(placed) = self.record.placed.clone() else {
            return self.place(&session).await;
        };
        let looked = session.account.order(placed.url.clone()).await;
        let looked = looked.map_err(Failure::of(self.doing("look at the order")));
        let mut order = match looked {
            Ok(order) => order,
            Err(failure) if failure.is_unknown() && !self.placed_here => {
                self.give_up(&failure.to_string())?;
                return Ok(Progress::Moved);
            }
            Err(failure) => return Err(failure),
        };
        match order.state().status {
            OrderStatus::Pending => self.authorize(&mut order, &session.transport).await,
            OrderStatus::Ready => self.finalize(&mut order).await,
            OrderStatus::Processing => Ok(Progress::Working),
            OrderStatus::Valid => self.fetch(&mut order).await,
            OrderStatus::Invalid => self.bury(&mut order).await,
        }
    }

    /// Places the order.
    async fn place(&mut self, session: &Session) -> Result<Progress, Failure> {
        let names = self.order.names.iter();
        let identifiers: Vec<Identifier> =
            names.map(|name| Identifier::Dns(name.as_str().to_owned())).collect();
        let mut wanted = NewOrder::new(&identifiers);
        if let Some(profile) = &self.acme.profile {
            self.know_profile(session, profile)?;
            wanted = wanted.profile(profile);
        }
        let former = self.former().filter(|_| !self.hides_former);
        let names_former = former.is_some();
        if let Some(former) = former {
            wanted = wanted.replaces(former);
        }
        let placed = session.account.new_order(&wanted).await;
        let placed = match placed.map_err(Failure::of(self.doing("place the order"))) {
            Err(failure) if names_former && !failure.is_passing() => {
                // Whatever it is about: the same order without may go well, and costs nothing.
                tracing::info!(order = self.order.id, "not as the successor of another: {failure}");
                self.hides_former = true;
                return Ok(Progress::Moved);
            }
            placed => placed?,
        };
        self.record.placed = Some(Placed {
            directory: self.acme.directory.clone(),
            url: placed.url().to_owned(),
            step: Step::Placed,
        });
        self.placed_here = true;
        self.keep()?;
        tracing::info!(order = self.order.id, url = placed.url(), "placed the ACME order");
        Ok(Progress::Moved)
    }

    /// The certificate that is replaced, as the CA calls it, where it advised when to (RFC 9773,
    /// section 5).
    fn former(&self) -> Option<CertificateIdentifier<'static>> {
        let former = self.order.replaces.as_ref()?;
        self.acme.advices.kept(former)?;
        let der = CertificateDer::from(former.der());
        CertificateIdentifier::try_from(&der).ok().map(CertificateIdentifier::into_owned)
    }

    /// Makes sure that the CA has this profile.
    fn know_profile(&self, session: &Session, profile: &str) -> Result<(), Failure> {
        let mut offered: Vec<&str> = session.account.profiles().map(|meta| meta.name).collect();
        if offered.contains(&profile) {
            return Ok(());
        }
        offered.sort_unstable();
        let offered =
            if offered.is_empty() { "none at all".to_owned() } else { offered.join(", ") };
        let wanted = profile.to_owned();
        Err(Failure::of(self.doing("place the order"))(Cause::NoProfile { wanted, offered }))
    }

    /// Requests the certificate.
    async fn finalize(&mut self, order: &mut instant_acme::Order) -> Result<Progress, Failure> {
        let doing = self.doing("request the certificate");
        let request = self.request().map_err(Failure::of(doing.clone()))?;
        if let Some(placed) = &mut self.record.placed {
            placed.step = Step::Finalized;
        }
        self.keep()?;
        let asked = order.finalize_csr(&request).await;
        asked.map_err(Failure::of(doing))?;
        Ok(Progress::Moved)
    }

    /// The certificate request: the key and the names, and nothing else.
    fn request(&self) -> Result<Vec<u8>, rcgen::Error> {
        let pair = KeyPair::from_pem(self.order.key.pem())?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for name in &self.order.names {
            let name = name.as_str().try_into()?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        Ok(params.serialize_request(&pair)?.der().to_vec())
    }

    /// Fetches the chain, judges it, and keeps it.
    async fn fetch(&mut self, order: &mut instant_acme::Order) -> Result<Progress, Failure> {
        let doing = self.doing("fetch the certificate");
        let text = order.certificate().await;
        let Some(text) = text.map_err(Failure::of(doing.clone()))? else {
            return Ok(Progress::Working);
        };
        let chain = self.parse(&text)?;
        let chain = match &self.acme.preferred_chain {
            Some(name) if !is_below(&chain, name) => self.prefer(chain, name, order).await?,
            Some(_) | None => chain,
        };
        let chain = match self.acme.anchor {
            AnchorChoice::IssuingCa => chain,
            AnchorChoice::Root => self.up_to_root(chain)?,
        };
        self.judge(&chain)?;
        let kept = self.acme.orders.keep_chain(&self.order.id, &chain);
        kept.map_err(Failure::of(self.doing("keep the certificate")))?;
        Ok(Progress::Issued(chain))
    }

    /// A chain as the CA sends it.
    fn parse(&self, text: &str) -> Result<Chain, Failure> {
        let garbled = |reason: String| {
            Failure::of(self.doing("fetch the certificate"))(Cause::Garbled(reason))
        };
        let found = certificates(text).map_err(garbled)?;
        Chain::new(found).ok_or_else(|| garbled("there is no certificate in it".into()))
    }

    /// The chain below the CA called `name` among those that the CA offers beside its own choice; its
    /// own choice, where none is.
    async fn prefer(
        &self,
        default: Chain,
        name: &str,
        order: &mut instant_acme::Order,
    ) -> Result<Chain, Failure> {
        let doing = self.doing("fetch the preferred chain");
        let Some(url) = order.state().certificate.clone() else {
            return Ok(default);
        };
        let (account, alternates) = self.acme.accounts.alternates(&url, &doing).await?;
        for alternate in &alternates {
            let text = self.acme.accounts.read(&account, alternate, &doing).await?;
            let chain = self.parse(&text)?;
            if is_below(&chain, name) {
                return Ok(chain);
            }
        }
        let order = &self.order.id;
        let offered = 1 + alternates.len();
        tracing::warn!(
            order,
            offered,
            "no chain ends below `{name}`: the CA's own choice is taken"
        );
        Ok(default)
    }

    /// The chain with the root above it: one of the known anchors, or of the machine's roots.
    fn up_to_root(&self, chain: Chain) -> Result<Chain, Failure> {
        let mut known = self.acme.known.clone();
        known.extend_from_slice(verify::system_roots());
        let whole = verify::with_root(chain, &known);
        match verify::trust_anchor(&whole, AnchorChoice::Root) {
            Some(_) => Ok(whole),
            None => {
                let top = whole.certificates().last().map(|top| top.subject().to_owned());
                let doing = self.doing("complete the chain");
                Err(Failure::of(doing)(Cause::NoRoot { top: top.unwrap_or_default() }))
            }
        }
    }

    /// Makes sure that the chain is what was ordered.
    pub(super) fn judge(&self, chain: &Chain) -> Result<(), Failure> {
        let now = self.acme.around.clock.now().wall;
        verify::judge(chain, &self.order.key, &self.order.names, now)
            .map_err(Failure::of(self.doing("use the certificate")))
    }

    /// Gives up an order that failed at the CA, with the reason that it has.
    async fn bury(&mut self, order: &mut instant_acme::Order) -> Result<Progress, Failure> {
        let (reason, kind) = match &order.state().error {
            Some(problem) => (describe_problem(problem), kind(problem).to_owned()),
            None => (self.refused_proof(order).await, String::new()),
        };
        self.give_up(&reason)?;
        if self.placed_here {
            let doing = self.doing("obtain the certificate");
            return Err(Failure::of(doing)(Cause::OrderInvalid { reason, kind }));
        }
        Ok(Progress::Moved)
    }

    /// Gives up the order at the CA; the next step places another.
    pub(super) fn give_up(&mut self, reason: &str) -> Result<(), Failure> {
        let Some(placed) = self.record.placed.take() else {
            return Ok(());
        };
        let reason = match placed.step {
            Step::Placed => reason.to_owned(),
            Step::Finalized => format!("{reason} (a certificate may have been issued)"),
        };
        tracing::warn!(order = self.order.id, url = placed.url, reason, "gave up an ACME order");
        self.record.given_up.push(GivenUp { url: placed.url, reason });
        self.keep()
    }

    /// Stores how far the order is.
    pub(super) fn keep(&self) -> Result<(), Failure> {
        let kept = self.acme.orders.keep_record(&self.order.id, &self.record);
        kept.map_err(Failure::of("keep where the order stands"))
    }

    /// Whether the CA does not know our account, and nothing was done about it yet.
    fn lost_account(&self, failure: &Failure) -> bool {
        failure.kind() == "accountDoesNotExist" && !self.account_renewed
    }

    /// How soon the CA wants to be asked again, by its last answer.
    async fn asked_pace(&self) -> Option<crate::time::Span> {
        let session = self.acme.accounts.open().await.ok()?;
        session.transport.take_pace()
    }

    /// What is being done, and for whom.
    pub(super) fn doing(&self, what: &str) -> String {
        let names: Vec<&str> = self.order.names.iter().map(DnsName::as_str).collect();
        format!("{what} for {}", names.join(", "))
    }
}

/// Whether the topmost certificate of `chain` was issued by a CA of this common name.
fn is_below(chain: &Chain, name: &str) -> bool {
    let top = chain.certificates().last();
    top.is_some_and(|top| verify::issuer_common_name(top).as_deref() == Some(name))
}
