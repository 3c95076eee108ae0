//! Which server is asked, and which no more; and what is believed.

use hickory_proto::op::MessageType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::clock::SystemClock;
use crate::tlsa::TlsaRrset;

/// A change of the mail server's records by the server that can be reached first.
async fn replace(servers: Vec<SocketAddr>) -> PublishError {
    let key = "key \"rollover\" { algorithm hmac-sha256; secret \"c2VjcmV0\"; };";
    let key = TsigKey::parse(key, "rollover.key").unwrap();
    let publisher = Rfc2136::new(servers, key, None, Arc::new(SystemClock::new()));
    let record: Record = format!("3 1 1 {}", "aa".repeat(32)).parse().unwrap();
    let change = RrsetChange {
        owners: Vec::new(),
        name: "_25._tcp.mail.example.nl".parse().unwrap(),
        observed: TlsaRrset::absent(Ttl::default()),
        desired: TlsaRrset::new([record], Ttl::from_seconds(60)),
    };
    publisher.replace(&"example.nl".parse().unwrap(), &[change]).await.unwrap_err()
}

/// A server that reads what it is asked and breaks off; the task ends when it was asked.
async fn that_breaks_off() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        stream.read_exact(&mut vec![0; usize::from(length)]).await.unwrap();
    });
    (address, asked)
}

/// A server that refuses what it is asked with a TSIG error, and does not sign that.
async fn that_refuses(error: TsigCode) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut question).await.unwrap();
        let mut answer = Message::from_vec(&question).unwrap();
        answer.metadata.message_type = MessageType::Response;
        answer.metadata.response_code = ResponseCode::NotAuth;
        let signature = &mut answer.signature.as_mut().unwrap().data;
        (signature.error, signature.other, signature.mac) = (Some(error), vec![0; 6], vec![0; 32]);
        let answer = transport::encode(&answer).unwrap();
        stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
        stream.write_all(&answer).await.unwrap();
    });
    address
}

/// A port that refuses connections for as long as its socket is there.
fn that_is_down() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

/// A server that knows the key signs BADTIME; one that does not cannot sign what it says.
#[tokio::test]
async fn what_a_server_can_sign_is_believed_only_signed() {
    let error = replace(vec![that_refuses(TsigCode::BadTime).await]).await;
    assert!(
        error.to_string().ends_with("it said BADTIME, which it can sign, and did not"),
        "{error}"
    );
    assert!(!error.surely_without_effect());
    let error = replace(vec![that_refuses(TsigCode::BadKey).await]).await;
    assert!(error.to_string().ends_with("does not know the TSIG key `rollover`"), "{error}");
    assert!(!error.surely_without_effect(), "anybody can say so");
}

/// What was sent and not answered may have been taken: nobody else is asked.
#[tokio::test]
async fn an_update_that_was_sent_is_not_sent_elsewhere() {
    let ((first, asked), (second, unasked)) = (that_breaks_off().await, that_breaks_off().await);
    let error = replace(vec![first, second]).await;
    asked.await.unwrap();
    assert!(!unasked.is_finished(), "the second was asked too");
    unasked.abort();
    let server = format!("update server {first}");
    assert!(error.to_string().starts_with(&format!("{server} did not answer about ")), "{error}");
    assert!(!error.surely_without_effect());
}

/// What could not be sent goes to the next, and to the next of that.
#[tokio::test]
async fn an_update_that_was_not_sent_goes_to_a_stand_in() {
    let ((down, _one), (too, _other)) = (that_is_down(), that_is_down());
    let (third, asked) = that_breaks_off().await;
    let error = replace(vec![down, too, third]).await;
    asked.await.unwrap();
    assert!(
        matches!(&error, PublishError::Unanswered { server, .. }
        if *server == format!("update server {third}")),
        "{error}"
    );
}

/// Where none can be reached, each is named, and nothing was changed.
#[tokio::test]
async fn servers_that_cannot_be_reached_are_all_named() {
    let ((down, _one), (too, _other)) = (that_is_down(), that_is_down());
    let error = replace(vec![down, too]).await;
    let refused = "Connection refused (os error 111)";
    assert_eq!(
        error.to_string(),
        format!(
            "update server {down} cannot be reached, and was not asked about \
             _25._tcp.mail.example.nl. TLSA: {refused}; nor can {too}: {refused}"
        )
    );
    assert!(error.surely_without_effect());
}
