//! `rollover hook lego-httpreq`: a listener for lego's DNS provider `httpreq`, on this machine alone.
//!
//! Whoever may ask here can prove control over the hosts' names, and so obtain certificates for them:
//! hence it listens on loopback, and answers nobody without the password, which lego has from the same
//! file. It ends with SIGTERM, and with the process that started it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::Failure;
use super::args::Global;
use super::hook::{self, Streams};
use crate::hook::{Call, Surroundings, Visitor, requested};
use crate::secret;

/// Its name on the command line, in the place of a client's.
pub(super) const NAME: &str = "lego-httpreq";

/// How long a request may take to arrive.
const READING: Duration = Duration::from_secs(10);

/// The longest request that is read.
const BODY_LONGEST: usize = 64 * 1024;

/// What the requests share.
struct Desk {
    /// The options of the command line.
    global: Global,
    /// Who may ask.
    visitor: Visitor,
    /// One proof at a time: a provider may read before it writes.
    turn: Mutex<()>,
}

/// Listens until it is told to end.
///
/// # Errors
///
/// Where it cannot listen as it is asked to.
pub(super) async fn run(
    global: &Global,
    around: &Surroundings,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let address = address(&around.arguments[1..])?;
    let visitor = visitor(&around.variables)?;
    let desk = Desk { global: global.clone(), visitor, turn: Mutex::default() };
    let broken = |error: std::io::Error| Failure::Broken {
        message: format!("cannot listen at {address}: {error}"),
        hint: "choose another port".to_owned(),
    };
    let listener = TcpListener::bind(address).await.map_err(broken)?;
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt()).map_err(broken)?,
        signal(SignalKind::terminate()).map_err(broken)?,
    );
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|error| broken(error.into()))?;
    let address = listener.local_addr().map_err(broken)?;
    let _ = writeln!(out, "listening: HTTPREQ_ENDPOINT=http://{address}");
    let _ = out.flush();
    tokio::select! {
        () = serve(listener, Arc::new(desk)) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Where to listen.
fn address(arguments: &[String]) -> Result<SocketAddr, Failure> {
    let usage = "usage: rollover hook lego-httpreq --listen 127.0.0.1:PORT";
    let [option, address] = arguments else { return Err(Failure::Usage(usage.to_owned())) };
    let address = address.parse::<SocketAddr>().ok().filter(|_| option == "--listen");
    let address = address.ok_or_else(|| Failure::Usage(usage.to_owned()))?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(Failure::Usage(format!(
            "{address} is no address of this machine alone: passwords would cross a network in the \
             clear\n  hint: listen at 127.0.0.1 or [::1]"
        ))),
    }
}

/// Who may ask, as lego is told: by the variables of its provider.
fn visitor(variables: &BTreeMap<String, String>) -> Result<Visitor, Failure> {
    let variable = |name: &str| {
        let value = variables.get(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| {
            Failure::Usage(format!(
                "the variable {name} is not set: without a password, every user of this machine \
                 could prove control over the hosts' names\n  hint: set HTTPREQ_USERNAME and \
                 HTTPREQ_PASSWORD_FILE, for this program and for lego"
            ))
        })
    };
    let (name, file) = (variable("HTTPREQ_USERNAME")?, variable("HTTPREQ_PASSWORD_FILE")?);
    let password = secret::read(Path::new(file)).map_err(|e| Failure::Usage(e.to_string()))?;
    // As lego reads it.
    let password = password.strip_suffix('\n').unwrap_or(&password);
    match password.is_empty() {
        true => Err(Failure::Usage(format!("`{file}` holds no password"))),
        false => Ok(Visitor::new(name, password)),
    }
}

/// Answers whoever asks.
async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    // Dropped with the program, it ends every connection.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let desk = Arc::clone(&desk);
        connections.spawn(async move {
            let service = service_fn(|request| desk.answer(request));
            let connection = http1::Builder::new()
                .keep_alive(false)
                .timer(TokioTimer::new())
                .header_read_timeout(READING)
                .serve_connection(TokioIo::new(stream), service);
            let _ended = connection.await;
        });
    }
}

impl Desk {
    /// Answers one request.
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (status, text) = match self.prove(request).await {
            Ok(said) => (StatusCode::OK, said),
            Err(refusal) => refusal,
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        if status == StatusCode::UNAUTHORIZED {
            let basic = HeaderValue::from_static("Basic realm=\"rollover\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, basic);
        }
        Ok(response)
    }

    /// Publishes the proof that a request asks for, or removes it, and says so.
    async fn prove(&self, request: Request<Incoming>) -> Result<String, (StatusCode, String)> {
        let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        if !self.visitor.is(authorization.unwrap_or_default()) {
            let text = "the user's name and password are others\n";
            return Err((StatusCode::UNAUTHORIZED, text.to_owned()));
        }
        if request.method() != Method::POST {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "only POST\n".to_owned()));
        }
        let path = request.uri().path().to_owned();
        let bad = |what: &str| (StatusCode::BAD_REQUEST, format!("{what}\n"));
        let body = Limited::new(request.into_body(), BODY_LONGEST).collect();
        let body = tokio::time::timeout(READING, body).await.map_err(|_| bad("it is late"))?;
        let body = body.map_err(|error| bad(&error.to_string()))?.to_bytes();
        let call = requested(&path, &body).map_err(|error| bad(&error.to_string()))?;
        let Call::Challenges(challenges) = call else { return Err(bad("it is no proof")) };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let _turn = self.turn.lock().await;
        let mut streams = Streams { out: &mut out, err: &mut err };
        let proved = hook::prove(&self.global, &challenges, &mut streams).await;
        if let Err(failure) = &proved {
            failure.tell(&mut err);
        }
        let said = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
        match proved {
            Ok(()) => Ok(said(out)),
            Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, said(err))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_to() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            address(&words).map_err(|failure| {
                let mut said = Vec::new();
                failure.tell(&mut said);
                String::from_utf8(said).unwrap()
            })
        };
        assert_eq!(of(&["--listen", "127.0.0.1:8080"]), Ok("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(of(&["--listen", "[::1]:0"]), Ok("[::1]:0".parse().unwrap()));
        for wide in ["0.0.0.0:8080", "192.0.2.1:8080", "[::]:8080"] {
            assert!(of(&["--listen", wide]).unwrap_err().contains("passwords would cross"));
        }
        for odd in [&[][..], &["--listen"], &["--listen", "8080"], &["--port", "127.0.0.1:80"]] {
            assert!(of(odd).unwrap_err().contains("usage: "));
        }
    }
}
