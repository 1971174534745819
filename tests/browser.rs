//! A headless browser, told what to do by the Chrome DevTools Protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>) over its pipe.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A page in a browser with an empty profile.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    profile: PathBuf,
    page: Option<String>,
    sent: u64,
    complaints: Vec<String>,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Whether the person prefers dark pages.
    pub dark: bool,
    /// Whether scripts run.
    pub scripts: bool,
}

impl Look {
    /// A desk.
    pub const DESK: Self = Self {
        width: 1280,
        height: 900,
        dark: false,
        scripts: true,
    };
    /// A phone at night.
    pub const PHONE_AT_NIGHT: Self = Self {
        width: 375,
        height: 720,
        dark: true,
        scripts: true,
    };
}

impl Browser {
    /// Starts Chromium. Nothing, where it is not installed; in CI that is a failure.
    ///
    /// # Panics
    /// It does not start, or it is CI and there is none.
    pub async fn start() -> Option<Self> {
        let Some(program) = installed() else {
            assert!(std::env::var_os("CI").is_none(), "install chromium");
            eprintln!("the page was not looked at: chromium is not installed");
            return None;
        };
        let name = format!("holdfast-browser-{}", uuid::Uuid::now_v7());
        let profile = std::env::temp_dir().join(name);
        let mut process = spawn(&program, &profile);
        let mut browser = Self {
            to: process.stdin.take().unwrap(),
            from: BufReader::new(process.stdout.take().unwrap()),
            process,
            profile,
            page: None,
            sent: 0,
            complaints: Vec::new(),
        };
        browser.open_page().await;
        Some(browser)
    }

    async fn open_page(&mut self) {
        let created = self.tell("Target.createTarget", json!({"url": "about:blank"}));
        let target = created.await["targetId"].clone();
        let attach = json!({"targetId": target, "flatten": true});
        let attached = self.tell("Target.attachToTarget", attach).await;
        self.page = attached["sessionId"].as_str().map(ToOwned::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            self.tell(domain, json!({})).await;
        }
    }

    /// Sees pages like this from now on.
    pub async fn look(&mut self, look: Look) {
        let size = json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": look.width < 600});
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell("Emulation.setEmulatedMedia", media).await;
        let scripts = json!({"value": !look.scripts});
        self.tell("Emulation.setScriptExecutionDisabled", scripts)
            .await;
    }

    /// Goes to a page and waits until it is there.
    ///
    /// # Panics
    /// There is no answer from there.
    pub async fn go(&mut self, url: &str) {
        let gone = self.tell("Page.navigate", json!({"url": url})).await;
        assert_eq!(gone.get("errorText"), None, "{url}: {gone}");
        self.until("document.readyState === 'complete'").await;
    }

    /// Keeps a cookie for an origin, as if it had given it out.
    pub async fn keep(&mut self, origin: &str, (name, value): (&str, &str)) {
        let cookie = json!({"url": origin, "name": name, "value": value, "path": "/", "secure": true, "httpOnly": true});
        let kept = self.tell("Network.setCookie", cookie).await;
        assert_eq!(kept["success"], true, "{kept}");
    }

    /// Takes the network away from the page.
    pub async fn unplug(&mut self) {
        self.network(json!(true)).await;
    }

    /// Gives it back.
    pub async fn plug_in(&mut self) {
        self.network(json!(false)).await;
    }

    async fn network(&mut self, offline: Value) {
        // Without this the next command is taken and does nothing.
        self.tell("Network.enable", json!({})).await;
        let conditions = json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.tell("Network.emulateNetworkConditions", conditions)
            .await;
    }

    /// What a script says in the page. One that the page's own policy forbids runs all the same.
    ///
    /// # Panics
    /// It throws.
    pub async fn script(&mut self, script: &str) -> Value {
        let asked = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let said = self.tell("Runtime.evaluate", asked).await;
        assert_eq!(said.get("exceptionDetails"), None, "{script}: {said}");
        said["result"]["value"].clone()
    }

    /// Waits until a script says `true`. While one page gives way to the next, it says nothing.
    ///
    /// # Panics
    /// It never does.
    pub async fn until(&mut self, script: &str) {
        const PAUSE: Duration = Duration::from_millis(50);
        for _ in 0..400 {
            let asked = json!({"expression": script, "returnByValue": true});
            let said = self.tell("Runtime.evaluate", asked).await;
            if said["result"]["value"] == true {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let page = self.script("document.body.innerText").await;
        panic!("in vain: {script} in {page}");
    }

    /// Types into whatever has the focus.
    pub async fn write(&mut self, text: &str) {
        self.tell("Input.insertText", json!({"text": text})).await;
    }

    /// Presses a key: `Tab`, `Enter`, `Space`.
    pub async fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Space" => (32, " "),
            _ => (9, ""),
        };
        let name = if key == "Space" { " " } else { key };
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({"type": kind, "key": name, "code": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.tell("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Takes a picture of the whole page into `folder`.
    ///
    /// # Panics
    /// It cannot be written.
    pub async fn picture(&mut self, folder: &Path, name: &str) {
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let taken = self.tell("Page.captureScreenshot", whole).await;
        let bytes = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// What the browser had to say about its pages: errors of scripts, what a policy refused,
    /// what did not load.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Sends a command and waits for its answer. What else happens meanwhile is looked through for
    /// complaints.
    async fn tell(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut command = json!({"id": self.sent, "method": method, "params": params});
        if let Some(page) = &self.page {
            command["sessionId"] = json!(page);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).await.unwrap();
        loop {
            let mut message = self.hear().await;
            if message["id"] == self.sent {
                // A page that is just being left cannot answer.
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    async fn hear(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).await.unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser is gone");
        serde_json::from_slice(&bytes).unwrap()
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        let complaint = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => &params["exceptionDetails"],
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => &params["entry"],
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => &params["args"],
            _ => return,
        };
        self.complaints.push(complaint.to_string());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.start_kill();
        // Left behind only when the browser still writes to it.
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn spawn(program: &Path, profile: &Path) -> Child {
    // It reads commands from its descriptor 3 and answers on 4.
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#)
        .arg(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args([
            "--no-first-run",
            "--disable-sync",
            "--remote-debugging-pipe",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().unwrap()
}

fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}
