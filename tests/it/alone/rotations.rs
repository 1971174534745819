//! Rotations of the stack's own keys and logins, by the deployed function, while customers come
//! and go. Alone, because a revoked ring ends every other test's access token as well.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use local::postgres::Node;
use local::process::{self, Signal, environments_of};
use local::stack::STAGE;
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::shop::{Shop, eventually};
use tests::{Account, Fault, Stack, TestSecrets};

use super::nodes::Nodes;
use crate::faults::in_the_end;

const DATABASE_FUNCTIONS: [&str; 10] = [
    "auth",
    "products",
    "checkout",
    "ops",
    "order-worker",
    "mailer",
    "projector",
    "dlq-replayer",
    "sweeper",
    "key-rotator",
];

fn ring() -> String {
    format!("holdfast/{STAGE}/jwt-private")
}

/// How often each status was seen.
type Seen = BTreeMap<(String, u16), usize>;

/// Somebody who signs in once, and from then on looks around and refreshes.
async fn customer(stack: &Stack, who: &Account, closed: &AtomicBool) -> Seen {
    let anonymous = Client::anonymous(&stack.api_url);
    let mut seen = Seen::new();
    let mut see = |what: &str, answer: &Answer| {
        *seen
            .entry((what.to_owned(), answer.status.as_u16()))
            .or_default() += 1;
    };
    let mut pair = Value::Null;
    for round in 0.. {
        if closed.load(Ordering::Relaxed) {
            break;
        }
        let refresh = json!({"refresh_token": pair["refresh_token"]});
        let sign_in = json!({"email": who.email, "password": who.password});
        let (what, body) = match round % 8 {
            0 => ("login", sign_in),
            _ => ("refresh", refresh),
        };
        let answer = anonymous.post(&format!("/auth/{what}"), body).await;
        see(what, &answer);
        pair = answer.body;
        let me = anonymous.with_token(pair["access_token"].as_str().unwrap_or_default());
        for path in ["/auth/me", "/orders?limit=1", "/wallet", "/auth/me"] {
            see(path, &me.get(path).await);
        }
    }
    seen
}

/// Lets four customers come and go until `work` is done; what they saw.
async fn while_customers_come<T>(stack: &Stack, work: impl Future<Output = T>) -> (T, Seen) {
    let closed = AtomicBool::new(false);
    let close = async {
        let result = work.await;
        closed.store(true, Ordering::Relaxed);
        result
    };
    let customers = (0..4).map(|_| customer(stack, &stack.accounts.customer, &closed));
    let (result, seen) = tokio::join!(close, join_all(customers));
    let mut sum = Seen::new();
    for (what, count) in seen.into_iter().flatten() {
        *sum.entry(what).or_default() += count;
    }
    println!("{sum:?}");
    (result, sum)
}

#[track_caller]
fn nothing_failed(seen: &Seen) {
    let failed: Vec<_> = seen
        .iter()
        .filter(|((_, status), _)| *status != 200)
        .collect();
    assert!(failed.is_empty(), "{failed:?} of {seen:?}");
    assert!(seen.values().sum::<usize>() > 50, "{seen:?}");
}

/// How long the test of repeated rotations lasts, in seconds; a minute was tried by hand.
fn seconds() -> u64 {
    let given = std::env::var("HOLDFAST_ROTATE_SECONDS").ok();
    given.map_or(16, |seconds| seconds.parse().unwrap())
}

#[tokio::test]
async fn keys_that_change_every_two_seconds_sign_nobody_out() {
    let stack = Stack::alone();
    let secrets = TestSecrets::open().await;
    let earlier = Shop::open().await.customer;
    let rotate = async {
        let until = Instant::now() + Duration::from_secs(seconds());
        let mut times = Vec::new();
        while Instant::now() < until {
            let next = tokio::time::Instant::now() + Duration::from_secs(2);
            times.push(secrets.rotate(&ring()).await);
            tokio::time::sleep_until(next).await;
        }
        times
    };
    let (times, seen) = while_customers_come(&stack, rotate).await;
    println!(
        "{} rotations, the longest took {:?}",
        times.len(),
        times.iter().max()
    );
    nothing_failed(&seen);
    let _ = earlier.get("/auth/me").await.expect(200);
    // Each environment shows what it has read in the last 30 seconds.
    in_the_end(
        "retired keys beside the next and the current one",
        async || {
            let jwks = reqwest::get(stack.url("/.well-known/jwks.json"))
                .await
                .ok()?;
            let jwks: Value = jwks.json().await.ok()?;
            (jwks["keys"].as_array()?.len() > 2).then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn token_of_a_revoked_key_is_refused_everywhere_within_a_minute() {
    let stack = Stack::alone();
    let secrets = TestSecrets::open().await;
    let who = &stack.accounts.admin;
    let anonymous = Client::anonymous(&stack.api_url);
    let body = json!({"email": who.email, "password": who.password});
    let pair = anonymous.post("/auth/login", body).await.expect(200).body;
    let leaked = anonymous.with_token(pair["access_token"].as_str().unwrap());
    // Three functions, which verify for themselves.
    const PATHS: [&str; 3] = ["/auth/me", "/orders", "/admin/flags"];
    for path in PATHS {
        let _ = leaked.get(path).await.expect(200);
    }
    secrets.revoke_current(&ring()).await;
    secrets.rotate(&ring()).await;
    let began = Instant::now();
    for path in PATHS {
        loop {
            let status = leaked.get(path).await.status.as_u16();
            if status == 401 {
                break;
            }
            assert_eq!(status, 200);
            assert!(began.elapsed() < Duration::from_secs(60), "{path}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        println!("{path} refuses after {:?}", began.elapsed());
    }
    // The session is as good as before, and so is whoever signs in now.
    let refresh = json!({"refresh_token": pair["refresh_token"]});
    let pair = anonymous
        .post("/auth/refresh", refresh)
        .await
        .expect(200)
        .body;
    let me = anonymous.with_token(pair["access_token"].as_str().unwrap());
    for path in PATHS {
        let _ = me.get(path).await.expect(200);
    }
    let _ = Shop::open()
        .await
        .customer
        .get("/auth/me")
        .await
        .expect(200);
}

#[tokio::test]
async fn logins_change_twice_in_a_row_and_no_request_fails() {
    let stack = Stack::alone();
    let secrets = TestSecrets::open().await;
    let rotate = async {
        for function in DATABASE_FUNCTIONS {
            let id = format!("holdfast/{STAGE}/db/{function}");
            let before = secrets.value(&id).await;
            let took = [secrets.rotate(&id).await, secrets.rotate(&id).await];
            let after = secrets.value(&id).await;
            assert_eq!(after["username"], before["username"]);
            assert_ne!(after["password"], before["password"]);
            println!("{function}: {took:?}");
        }
    };
    let ((), seen) = while_customers_come(&stack, rotate).await;
    nothing_failed(&seen);
    // New environments, and connections that were not open before.
    let shop = Shop::open().await;
    let sku = shop.product(1000, 1).await;
    let _ = shop.buy_one(&sku).await;
}

#[tokio::test]
async fn readiness_alone_finds_the_login_that_was_changed_twice() {
    let stack = Stack::alone();
    let secrets = TestSecrets::open().await;
    let anonymous = Client::anonymous(&stack.api_url);
    let _ = anonymous.get("/health/ready").await.expect(200);
    let id = format!("holdfast/{STAGE}/db/ops");
    for _ in 0..2 {
        secrets.rotate(&id).await;
    }
    // Who is connected stays connected: only a new connection is refused.
    Nodes::whole_again_after(async |nodes| {
        for node in Node::ALL {
            sqlx::query(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'ops%'",
            )
            .execute(&mut nodes.connect(node).await)
            .await
            .unwrap();
        }
    })
    .await;
    // Well before anything but the question itself would have it read.
    eventually("readiness looks into the database again", async || {
        (anonymous.get("/health/ready").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn rotator_that_is_killed_in_the_middle_is_resumed_by_the_next_rotation() {
    let stack = Stack::alone();
    let secrets = TestSecrets::open().await;
    let id = format!("holdfast/{STAGE}/db/sweeper");
    let before = secrets.value(&id).await;
    // It hangs where it sets the password, and is killed there.
    let faults = [
        Fault::start(&stack, "database-primary", "hang").await,
        Fault::start(&stack, "database-replica", "hang").await,
        Fault::start(&stack, "database-fallback", "hang").await,
    ];
    let started = secrets.client.rotate_secret().secret_id(&id).send().await;
    let version = started.unwrap().version_id.unwrap();
    eventually("the new value is stored", async || {
        let get = secrets.client.get_secret_value().secret_id(&id);
        get.version_id(&version).send().await.ok()
    })
    .await;
    let killed = eventually("the rotator runs", async || {
        let pids = environments_of(&tests::stack::local(), "key-rotator");
        (!pids.is_empty()).then_some(pids)
    })
    .await;
    for pid in killed {
        process::send(pid, Signal::Kill);
    }
    for fault in faults {
        fault.heal().await;
    }
    assert_eq!(secrets.labels(&id, &version).await, ["AWSPENDING"]);
    assert_eq!(secrets.value(&id).await, before);
    // The next one says that it takes up the one before, and does.
    let next = secrets.client.rotate_secret().secret_id(&id).send().await;
    let refusal = next.unwrap_err().into_service_error();
    assert!(refusal.is_invalid_request_exception(), "{refusal}");
    secrets.is_current(&id, &version).await;
    assert_ne!(secrets.value(&id).await["username"], before["username"]);
    // And another one, to leave things as they were.
    secrets.rotate(&id).await;
    assert_eq!(secrets.value(&id).await["username"], before["username"]);
}
