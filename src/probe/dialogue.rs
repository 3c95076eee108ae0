//! The few lines before TLS begins, with limits on everything a server can say.
//!
//! Whatever stands in the buffer when TLS is to begin was sent in the clear, by whoever could: the
//! connection is then worth nothing (the STARTTLS injection of CVE-2011-0411).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::Protocol;

/// The longest line that is read, in octets: twice what RFC 5321, section 4.5.3.1.5 allows.
const LINE_MAX: usize = 1024;
/// The most lines of one reply.
const LINES_MAX: usize = 100;
/// How the probe introduces itself: an address literal is right for a client without a name
/// (RFC 5321, section 4.1.4), where a bare label is refused.
const EHLO: &str = "EHLO [127.0.0.1]\r\n";

/// Why TLS could not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialogueError {
    /// The server does not offer it.
    #[error("{0}")]
    NotOffered(String),
    /// The server said no, perhaps for now.
    #[error("it answered `{reply}` to {command}")]
    Refused {
        /// What was asked.
        command: &'static str,
        /// What it answered.
        reply: String,
    },
    /// The server sent more than an answer, before TLS.
    #[error(
        "it sent {0} octets in the clear after its answer to STARTTLS: somebody on the way, or a \
         broken server, injects them"
    )]
    Injected(usize),
    /// A line or a reply without end.
    #[error("its answer to {0} has no end")]
    Endless(&'static str),
    /// The connection broke.
    #[error("the connection broke after {command}: {reason}")]
    Broken {
        /// What was asked last.
        command: &'static str,
        /// What the system said.
        reason: String,
    },
}

/// Talks until TLS may begin.
pub(super) async fn up_to_tls(
    stream: &mut TcpStream,
    protocol: Protocol,
) -> Result<(), DialogueError> {
    let mut lines = Lines { stream, buffer: Vec::new() };
    match protocol {
        Protocol::Tls => return Ok(()),
        Protocol::Smtp => lines.smtp().await?,
        Protocol::Imap => lines.imap().await?,
        Protocol::Pop3 => lines.pop3().await?,
    }
    match lines.buffer.len() {
        0 => Ok(()),
        injected => Err(DialogueError::Injected(injected)),
    }
}

/// A connection read line by line.
struct Lines<'a> {
    /// The connection.
    stream: &'a mut TcpStream,
    /// What was read and not used yet.
    buffer: Vec<u8>,
}

impl Lines<'_> {
    /// SMTP (RFC 3207).
    async fn smtp(&mut self) -> Result<(), DialogueError> {
        let greeting = self.smtp_reply("connecting").await?;
        expect(&greeting, "220", "connecting")?;
        let offers = self.smtp_ask("EHLO", EHLO).await?;
        expect(&offers, "250", "EHLO")?;
        let offered =
            |line: &String| line.get(4..).is_some_and(|w| w.eq_ignore_ascii_case("STARTTLS"));
        if !offers.iter().any(offered) {
            let _ = self.stream.write_all(b"QUIT\r\n").await;
            return Err(DialogueError::NotOffered(
                "STARTTLS is not among its extensions".to_owned(),
            ));
        }
        let ready = self.smtp_ask("STARTTLS", "STARTTLS\r\n").await?;
        expect(&ready, "220", "STARTTLS")
    }

    /// IMAP (RFC 9051, section 6.2.1).
    async fn imap(&mut self) -> Result<(), DialogueError> {
        let greeting = self.line("connecting").await?;
        if !greeting.starts_with("* OK") {
            return Err(DialogueError::Refused { command: "connecting", reply: greeting });
        }
        self.ask("STARTTLS", "a STARTTLS\r\n").await?;
        for _ in 0..LINES_MAX {
            let line = self.line("STARTTLS").await?;
            match line.strip_prefix("a ") {
                Some(result) if result.starts_with("OK") => return Ok(()),
                Some(_) => return Err(DialogueError::NotOffered(line)),
                None => {}
            }
        }
        Err(DialogueError::Endless("STARTTLS"))
    }

    /// POP3 (RFC 2595, section 4).
    async fn pop3(&mut self) -> Result<(), DialogueError> {
        let greeting = self.line("connecting").await?;
        if !greeting.starts_with("+OK") {
            return Err(DialogueError::Refused { command: "connecting", reply: greeting });
        }
        self.ask("STLS", "STLS\r\n").await?;
        let ready = self.line("STLS").await?;
        if ready.starts_with("+OK") { Ok(()) } else { Err(DialogueError::NotOffered(ready)) }
    }

    /// Sends a command and reads an SMTP reply.
    async fn smtp_ask(
        &mut self,
        command: &'static str,
        text: &str,
    ) -> Result<Vec<String>, DialogueError> {
        self.ask(command, text).await?;
        self.smtp_reply(command).await
    }

    /// Reads an SMTP reply of one line or several.
    async fn smtp_reply(&mut self, command: &'static str) -> Result<Vec<String>, DialogueError> {
        let mut reply = Vec::new();
        while reply.len() < LINES_MAX {
            let line = self.line(command).await?;
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push(line);
            if last {
                return Ok(reply);
            }
        }
        Err(DialogueError::Endless(command))
    }

    /// Sends a command.
    async fn ask(&mut self, command: &'static str, text: &str) -> Result<(), DialogueError> {
        self.stream
            .write_all(text.as_bytes())
            .await
            .map_err(|error| DialogueError::Broken { command, reason: error.to_string() })
    }

    /// Reads one line, without its end.
    async fn line(&mut self, command: &'static str) -> Result<String, DialogueError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if LINE_MAX < self.buffer.len() {
                return Err(DialogueError::Endless(command));
            }
            let broken = |reason: String| DialogueError::Broken { command, reason };
            let length = self.stream.read_buf(&mut self.buffer).await;
            if length.map_err(|error| broken(error.to_string()))? == 0 {
                return Err(broken("it was closed".to_owned()));
            }
        }
    }
}

/// Refuses a reply with another code.
fn expect(reply: &[String], code: &str, command: &'static str) -> Result<(), DialogueError> {
    match reply.last() {
        Some(line) if line.starts_with(code) => Ok(()),
        Some(line) => Err(DialogueError::Refused { command, reply: line.clone() }),
        None => Err(DialogueError::Endless(command)),
    }
}
