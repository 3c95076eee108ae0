//! A third judge: the validator of the crate `domain`, on one connection to the same server.

use std::sync::Arc;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::dnssec::validator::anchor::TrustAnchors;
use domain::dnssec::validator::context::{ValidationContext, ValidationState};
use domain::net::client::multi_stream;
use domain::net::client::protocol::TcpConnect;
use domain::net::client::request::{ComposeRequest as _, RequestMessage, SendRequest};
use domain::rdata::Cname;

use crate::judges::{Anchor, Verdict, inside};
use crate::lab::PRIMARY;
use crate::lab::namespace::Namespace;

/// How many aliases are followed.
const ALIASES_MAX: usize = 16;

/// What is asked.
type Request = RequestMessage<Vec<u8>>;

/// What the crate says, asked from inside the namespace.
pub(crate) fn domain(namespace: &Namespace, anchor: &Anchor, names: &[String]) -> Vec<Verdict> {
    let (names, anchors) = (names.to_vec(), anchor.records());
    inside(namespace, async move {
        let server = TcpConnect::new(format!("{PRIMARY}:53").parse().unwrap());
        let (connection, transport) = multi_stream::Connection::<Request>::new(server);
        let running = tokio::spawn(transport.run());
        let anchors = TrustAnchors::from_u8(anchors.as_bytes()).unwrap();
        let context = Arc::new(ValidationContext::new(anchors, connection.clone()));
        let mut verdicts = Vec::new();
        for name in &names {
            verdicts.push(verdict(&connection, &context, name).await);
        }
        running.abort();
        verdicts
    })
}

/// The verdict on the TLSA RRset of one base domain. The server follows aliases within a zone, and the
/// judge from there: of an alias and its target the weaker counts.
async fn verdict<C: SendRequest<Request>>(
    connection: &C,
    context: &ValidationContext<C>,
    name: &str,
) -> Verdict {
    let mut name = format!("_25._tcp.{name}");
    let mut weakest = None;
    for _ in 0..ALIASES_MAX {
        let message = ask(connection, &name, Rtype::TLSA).await;
        let Some(target) = alias_to_elsewhere(&message) else {
            let verdict = judge(context, message).await;
            return weakest.unwrap_or(verdict);
        };
        let alias = ask(connection, &name, Rtype::CNAME).await;
        match judge(context, alias).await {
            Verdict::Insecure => weakest = Some(Verdict::Insecure),
            bogus @ Verdict::Bogus(_) => return bogus,
            Verdict::Secure(_) | Verdict::Denied => {}
        }
        name = target;
    }
    Verdict::Bogus(format!("more than {ALIASES_MAX} aliases"))
}

/// Where an answer says no more than that the name is an alias: the next name.
fn alias_to_elsewhere(message: &Message<Vec<u8>>) -> Option<String> {
    let has = |kind| {
        let authorities = message.authority().unwrap().flatten();
        message.answer().unwrap().flatten().chain(authorities).any(|r| r.rtype() == kind)
    };
    let aliases = message.answer().unwrap().limit_to::<Cname<_>>();
    let target = aliases.flatten().next()?.data().cname().to_string();
    (!has(Rtype::TLSA) && !has(Rtype::SOA)).then_some(target)
}

/// The server's answer to one question.
async fn ask<C: SendRequest<Request>>(connection: &C, name: &str, kind: Rtype) -> Message<Vec<u8>> {
    let mut question = MessageBuilder::new_vec().question();
    question.push((Name::vec_from_str(name).unwrap(), kind)).unwrap();
    let mut request = RequestMessage::new(question).unwrap();
    request.set_dnssec_ok(true);
    let answer = connection.send_request(request).get_response().await.expect("BIND answers");
    Message::from_octets(answer.as_slice().to_vec()).unwrap()
}

/// The verdict on one answer.
async fn judge<C: SendRequest<Request>>(
    context: &ValidationContext<C>,
    mut message: Message<Vec<u8>>,
) -> Verdict {
    if !matches!(message.header().rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
        return Verdict::Bogus(format!("the server says {}", message.header().rcode()));
    }
    let count = message.answer().unwrap().flatten().filter(|r| r.rtype() == Rtype::TLSA).count();
    match context.validate_msg::<_, Vec<u8>>(&mut message).await {
        Ok((ValidationState::Secure, _)) if count == 0 => Verdict::Denied,
        Ok((ValidationState::Secure, _)) => Verdict::Secure(count),
        Ok((ValidationState::Insecure | ValidationState::Indeterminate, _)) => Verdict::Insecure,
        Ok((ValidationState::Bogus, why)) => Verdict::Bogus(format!("{why:?}")),
        Err(error) => Verdict::Bogus(error.to_string()),
    }
}
