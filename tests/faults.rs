//! Faults of the functions' dependencies, for as long as a test wants them.

use crate::Stack;
use local::faults::control::Wanted;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A fault in force. It is healed when this is dropped, also by a test that fails.
#[derive(Debug)]
#[must_use = "dropped at once, it is healed at once"]
pub struct Fault {
    faults_url: String,
    dependency: String,
}

impl Fault {
    /// Lets `dependency` fail as `kind` says, both named as for `cargo holdfast fault`. It is in
    /// force when this returns. The test must have called [`Stack::alone`] before anything else.
    ///
    /// # Panics
    /// There is no such dependency or kind, or the fault proxy does not run.
    pub async fn start(stack: &Stack, dependency: &str, kind: &str) -> Self {
        let fault = Self {
            faults_url: stack.faults_url.clone(),
            dependency: dependency.to_owned(),
        };
        // Should the test's process be ended, the fault must not outlive it for long.
        let wanted = Wanted {
            kind: kind.to_owned(),
            lasts: Some("10m".to_owned()),
        };
        let request = reqwest::Client::new().put(fault.url()).json(&wanted);
        let answer = request.send().await.expect("the fault proxy does not run");
        let status = answer.status();
        let words = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{words}");
        fault
    }

    /// Ends the fault.
    ///
    /// # Panics
    /// The fault proxy does not run.
    pub async fn heal(self) {
        let request = reqwest::Client::new().delete(self.url());
        let answer = request.send().await.expect("the fault proxy does not run");
        assert!(answer.status().is_success(), "{}", self.dependency);
    }

    fn url(&self) -> String {
        format!("{}/faults/{}", self.faults_url, self.dependency)
    }
}

impl Drop for Fault {
    /// Waits for the answer: only then the next test finds the stack whole.
    fn drop(&mut self) {
        let address = self.faults_url.trim_start_matches("http://");
        let Ok(mut stream) = TcpStream::connect(address) else {
            return;
        };
        let request = format!(
            "DELETE /faults/{} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n",
            self.dependency
        );
        if stream.write_all(request.as_bytes()).is_ok() {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}
