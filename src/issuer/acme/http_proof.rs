//! Proof of control over names by HTTP (http-01, RFC 8555, section 8.3): a listener of our own, or
//! files for the web server that has the port.
//!
//! A listener is there only while some proof is looked at. All that are proved at once, of several
//! hosts, share one: the port is there once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::{AbortHandle, JoinSet};

use crate::durable::{self, Access, DurableError};

/// Where proofs are looked for, before the token.
const PATH: &str = "/.well-known/acme-challenge/";

/// The longest token that is taken. RFC 8555 asks for 128 bits at least: 22 characters.
const TOKEN_LONGEST: usize = 256;

/// How long one connection may last.
const CONNECTION: Duration = Duration::from_secs(20);

/// How often it is tried to listen, while the listener before gives the port back.
const TRIES: u32 = 20;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// The listeners of this process, by address. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Arc<AsyncMutex<BTreeMap<SocketAddr, Weak<Listener>>>>);

/// A listener that answers with proofs, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    /// The answers, by token.
    answers: Arc<Answers>,
    /// Ends it.
    task: AbortHandle,
}

/// What is answered, by token.
type Answers = Mutex<BTreeMap<String, String>>;

impl Listeners {
    /// The listener at `address`: the one there is, or a new one.
    ///
    /// # Errors
    ///
    /// Where it cannot listen: the port is taken, or needs a privilege.
    pub(super) async fn at(&self, address: SocketAddr) -> io::Result<Arc<Listener>> {
        let mut listeners = self.0.lock().await;
        if let Some(listener) = listeners.get(&address).and_then(Weak::upgrade) {
            return Ok(listener);
        }
        let mut tries = TRIES;
        let socket = loop {
            match TcpListener::bind(address) {
                Ok(socket) => break socket,
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && 1 < tries => tries -= 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PAUSE).await;
        };
        socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let answers = Arc::new(Answers::default());
        let task = tokio::spawn(serve(socket, Arc::clone(&answers))).abort_handle();
        let listener = Arc::new(Listener { answers, task });
        listeners.insert(address, Arc::downgrade(&listener));
        Ok(listener)
    }
}

impl Listener {
    /// Answers for `token` from now on. A token is never used twice, so it is never taken back.
    pub(super) fn answer(&self, token: &str, content: &str) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(token.to_owned(), content.to_owned());
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers whoever asks.
async fn serve(socket: tokio::net::TcpListener, answers: Arc<Answers>) {
    // Dropped with this task, it ends every connection.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, peer)) = socket.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let answers = Arc::clone(&answers);
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let answer = respond(request.uri().path(), &answers);
                tracing::debug!(%peer, path = request.uri().path(), status = %answer.status(), "asked for a proof");
                async { Ok::<_, std::convert::Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let _ended = tokio::time::timeout(CONNECTION, connection).await;
        });
    }
}

/// The answer to a request for `path`.
fn respond(path: &str, answers: &Answers) -> Response<Full<Bytes>> {
    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    let found = path.strip_prefix(PATH).and_then(|token| answers.get(token));
    let mut response = Response::new(Full::from(found.cloned().unwrap_or_default()));
    if found.is_none() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Whether a token is one (RFC 8555, section 8.3: base64url), and so cannot name a file elsewhere.
pub(super) fn is_token(text: &str) -> bool {
    (1..=TOKEN_LONGEST).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Where the proof of `token` is left below a web server's directory.
pub(super) fn place(webroot: &Path, token: &str) -> PathBuf {
    webroot.join(PATH.trim_start_matches('/')).join(token)
}

/// Leaves a proof where the web server finds it, whatever the process's umask is.
pub(super) fn leave(webroot: &Path, token: &str, content: &str) -> Result<(), DurableError> {
    let mut directory = webroot.to_owned();
    for name in PATH.split('/').filter(|name| !name.is_empty()) {
        directory.push(name);
        // Where it is there already, whoever made it knows who may read it.
        if fs::create_dir(&directory).is_ok() {
            let _best = fs::set_permissions(&directory, fs::Permissions::from_mode(0o755));
        }
    }
    durable::write(&place(webroot, token), content.as_bytes(), Access::with_mode(0o644))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: mail.example.nl\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn those_who_prove_at_once_share_a_listener_and_the_last_closes_it() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listeners = Listeners::default();
        let one = listeners.at(free).await.unwrap();
        let other = listeners.at(free).await.unwrap();
        one.answer("token-1", "content-1");
        drop(one);
        let answer = get(free, "/.well-known/acme-challenge/token-1").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("content-1"), "{answer}");
        for path in ["/.well-known/acme-challenge/token-2", "/", "/token-1", "/.."] {
            assert!(get(free, path).await.starts_with("HTTP/1.1 404"), "{path}");
        }
        drop(other);
        let again = listeners.at(free).await.unwrap();
        let answer = get(free, "/.well-known/acme-challenge/token-1").await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        drop(again);
    }

    #[tokio::test]
    async fn a_port_that_others_have_is_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = Listeners::default().at(taken.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_file_can_be_read_by_a_web_server_and_no_token_leads_elsewhere() {
        let webroot = tempfile::tempdir().unwrap();
        leave(webroot.path(), "token", "content").unwrap();
        let file = webroot.path().join(".well-known/acme-challenge/token");
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        let directory = fs::metadata(file.parent().unwrap()).unwrap();
        assert_eq!(directory.permissions().mode() & 0o777, 0o755);
        for text in ["", "..", "../../etc/passwd", "a/b", "a.b", "ä", &"a".repeat(300)] {
            assert!(!is_token(text), "{text}");
        }
        assert!(is_token("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"));
    }
}
