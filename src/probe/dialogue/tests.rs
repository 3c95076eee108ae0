//! Servers that speak as the standards have it, and servers that do not.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::probe::deadline::Deadline;
use crate::time::Span;

/// One side of a talk, played by the test.
enum Turn {
    /// The server says this.
    Say(&'static str),
    /// The client is expected to say this.
    Hear(&'static str),
}

use Turn::{Hear, Say};

/// Plays a server's part, and keeps the connection open for what may still be read of it.
async fn play(mut server: DuplexStream, turns: &[Turn]) -> DuplexStream {
    for turn in turns {
        match turn {
            Say(text) => server.write_all(text.as_bytes()).await.unwrap(),
            Hear(expected) => {
                let mut heard = vec![0; expected.len()];
                server.read_exact(&mut heard).await.unwrap();
                assert_eq!(String::from_utf8(heard).unwrap(), *expected);
            }
        }
    }
    server
}

/// Talks to a server that plays these turns; the connection closes when they are over.
async fn talk(protocol: Protocol, turns: &[Turn]) -> Result<Opening, String> {
    let (client, server) = duplex(1 << 20);
    let mut lines = Lines::new(client, Deadline::after(Span::from_seconds(60)));
    let server = async {
        drop(play(server, turns).await);
    };
    let (opening, ()) = tokio::join!(up_to_tls(&mut lines, protocol, "[192.0.2.1]"), server);
    opening.map_err(|fault| fault.to_string())
}

/// What a server is silent for, in the words that follow its address.
async fn fault(protocol: Protocol, turns: &[Turn]) -> String {
    talk(protocol, turns).await.unwrap_err()
}

/// Why a server has no TLS.
async fn no_tls(protocol: Protocol, turns: &[Turn]) -> String {
    match talk(protocol, turns).await.unwrap() {
        Opening::NoTls { reason } => reason,
        Opening::Ready => panic!("TLS was offered"),
    }
}

/// A server that offers STARTTLS after EHLO.
const OFFERS: [Turn; 4] = [
    Say("220 mail.example.nl ESMTP\r\n"),
    Hear("EHLO [192.0.2.1]\r\n"),
    Say("250-mail.example.nl\r\n250-PIPELINING\r\n250 starttls\r\n"),
    Hear("STARTTLS\r\n"),
];

/// The same, and then `last`.
fn offers_then(last: &'static str) -> Vec<Turn> {
    OFFERS.into_iter().chain([Say(last)]).collect()
}

#[tokio::test]
async fn smtp_begins_after_a_greeting_of_several_lines() {
    let mut turns = offers_then("220 2.0.0 Ready\r\n");
    turns[0] = Say("220-mail.example.nl\r\n220-wait\n220 ESMTP\r\n");
    assert_eq!(talk(Protocol::Smtp, &turns).await, Ok(Opening::Ready));
}

#[tokio::test]
async fn smtp_without_starttls_says_what_it_offers() {
    let ehlo = || Hear("EHLO [192.0.2.1]\r\n");
    let greeting = || Say("220 x\r\n");
    // A server named after the extension does not offer it.
    let turns = [greeting(), ehlo(), Say("250-STARTTLS\r\n250-SIZE 1000\r\n250 8BITMIME\r\n")];
    let reason = no_tls(Protocol::Smtp, &turns).await;
    assert_eq!(reason, "it does not offer STARTTLS (but SIZE, 8BITMIME)");
    let reason = no_tls(Protocol::Smtp, &[greeting(), ehlo(), Say("250 x\r\n")]).await;
    assert_eq!(reason, "it does not offer STARTTLS, nor any other extension");
    let reason = no_tls(Protocol::Smtp, &[greeting(), ehlo(), Say("502 5.5.2 What?\r\n")]).await;
    assert_eq!(reason, "it does not know EHLO, and answers `502 5.5.2 What?`");
}

#[tokio::test]
async fn smtp_that_refuses_is_silent_and_quoted() {
    let busy = fault(Protocol::Smtp, &[Say("421-4.7.0 Too many\r\n421 connections\r\n")]).await;
    assert_eq!(busy, "its greeting is `421-4.7.0 Too many 421 connections`");
    let turns = [Say("220 x\r\n"), Hear("EHLO [192.0.2.1]\r\n"), Say("504 5.5.2 Helo\r\n")];
    assert_eq!(fault(Protocol::Smtp, &turns).await, "its answer to EHLO is `504 5.5.2 Helo`");
    let torn = "454 4.7.0 TLS not available due to local problem\r\n";
    assert_eq!(
        fault(Protocol::Smtp, &offers_then(torn)).await,
        "its answer to STARTTLS is `454 4.7.0 TLS not available due to local problem`"
    );
}

#[tokio::test]
async fn what_is_no_reply_is_quoted() {
    for nonsense in ["SSH-2.0-OpenSSH_9.2\r\n", "220x\r\n", "+20 x\r\n", "\r\n", "22"] {
        let said = fault(Protocol::Smtp, &[Say(nonsense), Say("\n")]).await;
        assert_eq!(said, format!("its greeting is `{}`", nonsense.trim_end()));
    }
    let said = fault(Protocol::Smtp, &[Say("220-a\r\n250 b\r\n")]).await;
    assert_eq!(said, "its greeting is `220-a 250 b`");
    let said = fault(Protocol::Smtp, &[Say("\x1b[2J\u{0}554 x\r\n")]).await;
    assert_eq!(said, "its greeting is ` [2J 554 x`", "a terminal is not controlled by it");
}

#[tokio::test]
async fn octets_between_the_answer_and_tls_are_an_injection() {
    let injected = "220 2.0.0 Ready\r\n250 forged\r\n";
    assert_eq!(
        fault(Protocol::Smtp, &offers_then(injected)).await,
        "it sent `250 forged` in the clear after its answer to STARTTLS: somebody on the way, or a \
         broken server, injects this"
    );
    // Said in advance, in the hope that it is taken for the answer to a later command.
    let turns = [Say("220 x\r\n250-x\r\n250 STARTTLS\r\n220 Ready\r\n")];
    let said = fault(Protocol::Smtp, &turns).await;
    assert!(said.contains("in the clear"), "{said}");
    let half = fault(Protocol::Smtp, &offers_then("220 Ready\r\n\x16")).await;
    assert!(half.contains("injects this"), "not even half a line: {half}");
}

#[tokio::test]
async fn nothing_is_read_without_end() {
    let long: &str = "220-".repeat(10_000).leak();
    let said = fault(Protocol::Smtp, &[Say(long)]).await;
    assert_eq!(said, "its greeting has more than 2048 octets in a line");
    let many: &str = "220-x\r\n".repeat(10_000).leak();
    let said = fault(Protocol::Smtp, &[Say(many)]).await;
    assert_eq!(said, "its greeting has more than 100 lines");
    let untagged: &str = "* OK x\r\n".repeat(10_000).leak();
    let turns = [Say("* OK x\r\n"), Hear("a CAPABILITY\r\n"), Say(untagged)];
    let said = fault(Protocol::Imap, &turns).await;
    assert_eq!(said, "its answer to CAPABILITY has more than 100 lines");
}

#[tokio::test]
async fn a_server_that_hangs_up_owes_an_answer() {
    assert_eq!(fault(Protocol::Smtp, &[]).await, "no greeting: it closed the connection");
    let said = fault(Protocol::Smtp, &OFFERS).await;
    assert_eq!(said, "no answer to STARTTLS: it closed the connection");
}

#[tokio::test]
async fn a_server_that_is_slow_with_each_line_is_given_up_all_the_same() {
    let (client, mut server) = duplex(1000);
    let limit = Span::from_millis(300);
    let mut lines = Lines::new(client, Deadline::after(limit));
    // Each line comes soon after the one before; the limit is on all of them together.
    let slow = async {
        loop {
            server.write_all(b"220-x\r\n").await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    };
    let said: String = tokio::select! {
        opening = up_to_tls(&mut lines, Protocol::Smtp, "x") => opening.unwrap_err().to_string(),
        never = slow => never,
    };
    assert_eq!(said, "no greeting within 300ms");
}

#[tokio::test]
async fn imap_begins_after_its_tagged_ok() {
    let greeting = || Say("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n");
    let ask = || Hear("a CAPABILITY\r\n");
    let offer = || Say("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na OK done\r\n");
    let starttls = || Hear("b STARTTLS\r\n");
    let turns = [greeting(), ask(), offer(), starttls(), Say("b OK Begin TLS\r\n")];
    assert_eq!(talk(Protocol::Imap, &turns).await, Ok(Opening::Ready));
    let turns = [greeting(), ask(), offer(), starttls(), Say("b OK go\r\n* CAPABILITY X\r\n")];
    assert!(fault(Protocol::Imap, &turns).await.contains("* CAPABILITY X"));
    let turns = [greeting(), ask(), offer(), starttls(), Say("b BAD no\r\n")];
    assert_eq!(fault(Protocol::Imap, &turns).await, "its answer to STARTTLS is `b BAD no`");
    let turns = [greeting(), ask(), Say("* CAPABILITY IMAP4rev1\r\na OK\r\n")];
    let reason = no_tls(Protocol::Imap, &turns).await;
    assert_eq!(reason, "it does not offer STARTTLS (but IMAP4REV1)");
    let said = fault(Protocol::Imap, &[Say("* BYE busy\r\n")]).await;
    assert_eq!(said, "its greeting is `* BYE busy`");
}

#[tokio::test]
async fn pop3_begins_after_its_ok() {
    let greeting = || Say("+OK ready <1@x>\r\n");
    let (ask, offer) = (|| Hear("CAPA\r\n"), || Say("+OK\r\nUIDL\r\nSTLS\r\n.\r\n"));
    let turns = [greeting(), ask(), offer(), Hear("STLS\r\n"), Say("+OK Begin\r\n")];
    assert_eq!(talk(Protocol::Pop3, &turns).await, Ok(Opening::Ready));
    let turns = [greeting(), ask(), offer(), Hear("STLS\r\n"), Say("-ERR no\r\n")];
    assert_eq!(fault(Protocol::Pop3, &turns).await, "its answer to STLS is `-ERR no`");
    let reason = no_tls(Protocol::Pop3, &[greeting(), ask(), Say("-ERR what\r\n")]).await;
    assert_eq!(reason, "it does not offer STLS, nor any other extension");
    let said = fault(Protocol::Pop3, &[Say("-ERR busy\r\n")]).await;
    assert_eq!(said, "its greeting is `-ERR busy`");
}

#[tokio::test]
async fn tls_from_the_first_octet_needs_no_talk() {
    assert_eq!(talk(Protocol::Tls, &[]).await, Ok(Opening::Ready));
}
