//! The login of the SMTP server, when the one in use is refused.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use shared::providers::mail::{Letter, MailError};
use shared::resilience::CallError;
use shared::state::{AppState, Mailer};
use tests::state::{Changed, NOWHERE};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::Own;

/// A server that lets in whoever has the present password.
struct Server {
    port: u16,
    password: Arc<Mutex<&'static str>>,
}

impl Server {
    async fn start(password: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            password: Arc::new(Mutex::new(password)),
        };
        let present = Arc::clone(&server.password);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(talk(client, Arc::clone(&present)));
            }
        });
        server
    }

    fn change(&self, password: &'static str) {
        *self.password.lock().unwrap() = password;
    }
}

async fn talk(mut client: TcpStream, password: Arc<Mutex<&'static str>>) {
    let (lines, mut answers) = client.split();
    let mut lines = BufReader::new(lines).lines();
    answers.write_all(b"220 here\r\n").await.unwrap();
    let mut in_text = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.split(' ').next().unwrap_or_default() {
            "." => {
                in_text = false;
                "250 taken"
            }
            _ if in_text => continue,
            "EHLO" => "250-here\r\n250 AUTH PLAIN",
            "AUTH" => {
                let expected = format!("\0shop\0{}", password.lock().unwrap());
                let given = STANDARD.decode(line.rsplit(' ').next().unwrap());
                match given.is_ok_and(|given| given == expected.as_bytes()) {
                    true => "235 welcome",
                    false => "535 who are you?",
                }
            }
            "DATA" => {
                in_text = true;
                "354 go on"
            }
            _ => "250 well",
        };
        let answer = format!("{answer}\r\n");
        answers.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn send(mailer: &AppState<Mailer>) -> Result<(), MailError> {
    let letter = Letter {
        to: "ada@example.com".to_owned(),
        subject: "Hello".to_owned(),
        text: "Hello".to_owned(),
        html: "<p>Hello</p>".to_owned(),
    };
    let sent = mailer.mail.send(Uuid::new_v4(), letter).await;
    sent.map_err(|error| match error {
        CallError::Failed { source, .. } => source,
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn refused_login_is_read_again_at_once_and_the_previous_one_will_do() {
    let own = Own::new().await;
    let server = Server::start("one").await;
    let id = own.id("smtp");
    let login = |password: &str| json!({"username": "shop", "password": password});
    own.secrets.create(&id, &login("one")).await;
    // Of the local stage, which asks for no TLS.
    let changed = || {
        Changed::new()
            .at("SESv2", NOWHERE)
            .with("SMTP_HOST", "127.0.0.1")
            .with("SMTP_PORT", &server.port.to_string())
            .with("SMTP_SECRET_ID", &id)
    };
    let mailer = changed().state::<Mailer>().await;
    send(&mailer).await.unwrap();
    server.change("two");
    own.secrets.put(&id, &login("two")).await;
    send(&mailer).await.unwrap();
    // The secret is ahead of the server.
    own.secrets.put(&id, &login("three")).await;
    let cold = changed().state::<Mailer>().await;
    send(&cold).await.unwrap();
    server.change("another");
    assert!(send(&mailer).await.is_err());
}
