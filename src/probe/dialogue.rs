//! The few lines before TLS begins: SMTP, IMAP and POP3 up to their STARTTLS.

use tokio::io::{AsyncRead, AsyncWrite};

use super::deadline::Fault;
use super::lines::{LINES_MAX, Lines, quote};
use crate::ports::Protocol;

/// How the talk before TLS ended, where it did not fail.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Opening {
    /// TLS may begin.
    Ready,
    /// The server answers, and offers no TLS.
    NoTls {
        /// What it said instead.
        reason: String,
    },
}

/// Talks until TLS may begin. `name` is how an SMTP client introduces itself.
pub(super) async fn up_to_tls<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Lines<S>,
    protocol: Protocol,
    name: &str,
) -> Result<Opening, Fault> {
    let (opening, command) = match protocol {
        Protocol::Tls => return Ok(Opening::Ready),
        Protocol::Smtp => (smtp(lines, name).await?, "STARTTLS"),
        Protocol::Imap => (imap(lines).await?, "STARTTLS"),
        Protocol::Pop3 => (pop3(lines).await?, "STLS"),
    };
    if opening == Opening::Ready {
        lines.expect_silence(command)?;
    }
    Ok(opening)
}

/// What ends a session of this protocol politely; a server that is left without a word logs it.
pub(super) fn farewell(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Smtp | Protocol::Pop3 => Some("QUIT\r\n"),
        Protocol::Imap => Some("z LOGOUT\r\n"),
        Protocol::Tls => None,
    }
}

/// An SMTP reply ([RFC 5321, section 4.2.1]).
///
/// [RFC 5321, section 4.2.1]: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
#[derive(Debug)]
struct Reply {
    /// Its code.
    code: u16,
    /// Its lines, each with the code; at least one.
    lines: Vec<String>,
}

impl Reply {
    /// All of it in one line, to be quoted.
    fn said(&self) -> String {
        quote(&self.lines.join(" "))
    }

    /// The first words of all lines but the first, which names the server.
    fn keywords(&self) -> Vec<String> {
        let words = self.lines.iter().skip(1).filter_map(|line| line.get(4..));
        words.filter_map(|rest| rest.split(' ').next()).map(str::to_ascii_uppercase).collect()
    }
}

/// SMTP ([RFC 3207, section 4]).
///
/// [RFC 3207, section 4]: https://www.rfc-editor.org/rfc/rfc3207#section-4
async fn smtp<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Lines<S>,
    name: &str,
) -> Result<Opening, Fault> {
    const GREETING: &str = "greeting";
    const EHLO: &str = "answer to EHLO";
    const STARTTLS: &str = "answer to STARTTLS";
    let greeting = smtp_reply(lines, GREETING).await?;
    if greeting.code != 220 {
        return Err(Fault::Refused { awaited: GREETING, said: greeting.said() });
    }
    lines.send("EHLO", name, EHLO).await?;
    let offers = smtp_reply(lines, EHLO).await?;
    match offers.code {
        250 => {}
        // A server without extensions (RFC 5321, section 4.1.1.1) cannot offer this one.
        500 | 502 => {
            let reason = format!("it does not know EHLO, and answers `{}`", offers.said());
            return Ok(Opening::NoTls { reason });
        }
        _ => return Err(Fault::Refused { awaited: EHLO, said: offers.said() }),
    }
    let keywords = offers.keywords();
    if !keywords.iter().any(|keyword| keyword == "STARTTLS") {
        return Ok(Opening::NoTls { reason: not_among(&keywords, "STARTTLS") });
    }
    lines.send("STARTTLS", "", STARTTLS).await?;
    let ready = smtp_reply(lines, STARTTLS).await?;
    match ready.code {
        220 => Ok(Opening::Ready),
        _ => Err(Fault::Refused { awaited: STARTTLS, said: ready.said() }),
    }
}

/// Reads an SMTP reply of one line or several.
async fn smtp_reply<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Lines<S>,
    awaited: &'static str,
) -> Result<Reply, Fault> {
    let mut first = None;
    let mut reply = Vec::new();
    while reply.len() < LINES_MAX {
        let line = lines.line(awaited).await?;
        let (code, separator) = (code_of(&line), line.as_bytes().get(3).copied());
        reply.push(line);
        match (code, separator) {
            // Every line of a reply has the same code.
            (Some(code), _) if first.is_some_and(|first| first != code) => break,
            (Some(code), Some(b'-')) => first = Some(code),
            (Some(code), Some(b' ') | None) => return Ok(Reply { code, lines: reply }),
            (Some(_), Some(_)) | (None, _) => break,
        }
    }
    match reply.len() {
        LINES_MAX => Err(Fault::Endless { awaited, limit: format!("{LINES_MAX} lines") }),
        _ => Err(Fault::Refused { awaited, said: quote(&reply.join(" ")) }),
    }
}

/// The code that a line of an SMTP reply begins with.
fn code_of(line: &str) -> Option<u16> {
    let digits = line.get(..3).filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()))?;
    digits.parse().ok()
}

/// IMAP ([RFC 9051, section 6.2.1]).
///
/// [RFC 9051, section 6.2.1]: https://www.rfc-editor.org/rfc/rfc9051#section-6.2.1
async fn imap<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Lines<S>) -> Result<Opening, Fault> {
    const GREETING: &str = "greeting";
    const CAPABILITY: &str = "answer to CAPABILITY";
    const STARTTLS: &str = "answer to STARTTLS";
    let greeting = lines.line(GREETING).await?;
    if !greeting.to_ascii_uppercase().starts_with("* OK") {
        return Err(Fault::Refused { awaited: GREETING, said: quote(&greeting) });
    }
    lines.send("a CAPABILITY", "", CAPABILITY).await?;
    let answer = imap_answer(lines, "a ", CAPABILITY).await?;
    let listed = answer.iter().filter_map(|line| line.strip_prefix("* CAPABILITY "));
    let offers: Vec<String> = listed.flat_map(|l| l.split(' ')).map(str::to_owned).collect();
    if !offers.iter().any(|offer| offer == "STARTTLS") {
        return Ok(Opening::NoTls { reason: not_among(&offers, "STARTTLS") });
    }
    lines.send("b STARTTLS", "", STARTTLS).await?;
    imap_answer(lines, "b ", STARTTLS).await?;
    Ok(Opening::Ready)
}

/// Reads, in upper case, what an IMAP server says up to its tagged OK.
async fn imap_answer<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Lines<S>,
    tag: &str,
    awaited: &'static str,
) -> Result<Vec<String>, Fault> {
    let mut untagged = Vec::new();
    for _ in 0..LINES_MAX {
        let line = lines.line(awaited).await?;
        match line.strip_prefix(tag) {
            Some(result) if result.to_ascii_uppercase().starts_with("OK") => return Ok(untagged),
            Some(_) => return Err(Fault::Refused { awaited, said: quote(&line) }),
            None => untagged.push(line.to_ascii_uppercase()),
        }
    }
    Err(Fault::Endless { awaited, limit: format!("{LINES_MAX} lines") })
}

/// POP3 ([RFC 2595, section 4]).
///
/// [RFC 2595, section 4]: https://www.rfc-editor.org/rfc/rfc2595#section-4
async fn pop3<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Lines<S>) -> Result<Opening, Fault> {
    const GREETING: &str = "greeting";
    const STLS: &str = "answer to STLS";
    let greeting = lines.line(GREETING).await?;
    if !greeting.starts_with("+OK") {
        return Err(Fault::Refused { awaited: GREETING, said: quote(&greeting) });
    }
    let offers = pop3_capabilities(lines).await?;
    if !offers.iter().any(|offer| offer.eq_ignore_ascii_case("STLS")) {
        return Ok(Opening::NoTls { reason: not_among(&offers, "STLS") });
    }
    lines.send("STLS", "", STLS).await?;
    let ready = lines.line(STLS).await?;
    match ready.starts_with("+OK") {
        true => Ok(Opening::Ready),
        false => Err(Fault::Refused { awaited: STLS, said: quote(&ready) }),
    }
}

/// What a POP3 server offers; nothing where it does not know CAPA ([RFC 2449, section 5]), without
/// which STLS is not announced.
///
/// [RFC 2449, section 5]: https://www.rfc-editor.org/rfc/rfc2449#section-5
async fn pop3_capabilities<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Lines<S>,
) -> Result<Vec<String>, Fault> {
    const CAPA: &str = "answer to CAPA";
    lines.send("CAPA", "", CAPA).await?;
    if !lines.line(CAPA).await?.starts_with("+OK") {
        return Ok(Vec::new());
    }
    let mut offers = Vec::new();
    for _ in 0..LINES_MAX {
        let line = lines.line(CAPA).await?;
        if line == "." {
            return Ok(offers);
        }
        offers.push(line);
    }
    Err(Fault::Endless { awaited: CAPA, limit: format!("{LINES_MAX} lines") })
}

/// Says that `wanted` is not offered, and what is.
fn not_among(offers: &[String], wanted: &str) -> String {
    match offers {
        [] => format!("it does not offer {wanted}, nor any other extension"),
        offers => format!("it does not offer {wanted} (but {})", quote(&offers.join(", "))),
    }
}

#[cfg(test)]
mod tests;
