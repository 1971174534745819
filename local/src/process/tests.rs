//! Real children: what is started is found again, stopped, and told from a stranger.

use super::*;
use std::path::Path;

struct Scratch(Stack);

impl Scratch {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("holdfast-process-{}", uuid::Uuid::new_v4()));
        let stack = Stack::open(&root, "mine", Some(50_000)).unwrap();
        stack.create_folder().unwrap();
        Self(stack)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(self.0.root()).unwrap();
    }
}

fn shell(script: &str) -> Service {
    let mut service = Service::new("sleeper", "/bin/sh".into(), "/".into());
    service.args = vec!["-c".into(), script.into()];
    service
}

#[tokio::test]
async fn a_running_service_is_left_alone_and_a_changed_one_replaced() {
    let Scratch(stack) = &Scratch::new();
    let Outcome::Started(first) = shell("sleep 60").ensure(stack).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        shell("sleep 60").ensure(stack).await.unwrap(),
        Outcome::Running(first)
    );
    let Outcome::Started(second) = shell("sleep 61").ensure(stack).await.unwrap() else {
        panic!()
    };
    assert_ne!(first, second);
    assert!(stop(stack, "sleeper").await.unwrap());
    assert!(!stop(stack, "sleeper").await.unwrap());
    assert!(recorded_names(stack).is_empty());
}

#[tokio::test]
async fn a_recycled_pid_is_neither_alive_nor_stopped() {
    let Scratch(stack) = &Scratch::new();
    let Outcome::Started(pid) = shell("sleep 60").ensure(stack).await.unwrap() else {
        panic!()
    };
    let mut record: Record = stack.read_json("run/sleeper.json").unwrap().unwrap();
    let honest = record.clone();
    record.started_ticks += 1;
    stack.write_json("run/sleeper.json", &record).unwrap();
    assert!(running(stack, "sleeper").is_none());

    stack.write_json("run/sleeper.json", &honest).unwrap();
    assert_eq!(running(stack, "sleeper").unwrap().pid, pid);
    stop(stack, "sleeper").await.unwrap();
}

#[tokio::test]
async fn a_killed_service_counts_as_dead_and_what_it_left_is_ended() {
    let Scratch(stack) = &Scratch::new();
    let note = stack.path("child");
    let script = format!("sleep 60 & echo $! > {}; wait", note.display());
    let Outcome::Started(pid) = shell(&script).ensure(stack).await.unwrap() else {
        panic!()
    };
    assert!(wait_until(Duration::from_secs(5), || child_in(&note).is_some()).await);
    let child = child_in(&note).unwrap();

    kernel::send(pid, Signal::Kill);
    assert!(
        wait_until(Duration::from_secs(5), || running(stack, "sleeper")
            .is_none())
        .await
    );
    assert!(stop(stack, "sleeper").await.unwrap());
    let ended = || Identity::of(child).is_none_or(|identity| identity.ended);
    assert!(wait_until(Duration::from_secs(5), ended).await);
}

fn child_in(note: &Path) -> Option<u32> {
    fs::read_to_string(note).ok()?.trim().parse().ok()
}

#[tokio::test]
async fn a_service_that_ends_shows_the_end_of_its_log() {
    let Scratch(stack) = &Scratch::new();
    let service = shell("echo the reason; exit 1");
    // It may end before or after its start was recorded.
    if let Err(error) = service.ensure(stack).await {
        assert!(error.to_string().contains("ended at once"), "{error}");
        return;
    }
    let error = wait_ready(stack, "sleeper", Duration::from_secs(5), async || false)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("ended while starting"),
        "{error}"
    );
    assert!(error.to_string().contains("the reason"), "{error}");
}

#[tokio::test]
async fn a_child_sees_none_of_our_environment() {
    let Scratch(stack) = &Scratch::new();
    let mut service = shell("env > seen; sleep 60");
    service.folder = stack.folder();
    service.env = vec![("GIVEN".into(), "yes".into())];
    service.ensure(stack).await.unwrap();
    let seen = || fs::read_to_string(stack.path("seen")).unwrap_or_default();
    assert!(wait_until(Duration::from_secs(5), || seen().contains("GIVEN=yes")).await);
    assert!(!seen().contains("CARGO"), "{}", seen());
    stop(stack, "sleeper").await.unwrap();
}
