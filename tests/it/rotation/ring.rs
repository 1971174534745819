//! The ring of signing keys.

use serde_json::{Value, json};
use shared::domain::accounts::Role;
use shared::events::Step;
use shared::providers::signing::{FirstSecrets, Subject};
use shared::state::{AppState, Auth, KeyRotator, Ops, Parts};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Own;

const RING: &str = "jwt-private";

impl Own {
    async fn with_ring() -> Self {
        use secrecy::ExposeSecret;
        let own = Self::new().await;
        let first = FirstSecrets::generate(OffsetDateTime::now_utc()).unwrap();
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let private = read(first.jwt_private.expose_secret());
        own.secrets.create(&own.id(RING), &private).await;
        let public = read(&first.jwt_public);
        own.secrets.create(&own.id("jwt-public"), &public).await;
        own
    }

    /// A function of this stage that has just started.
    async fn fresh<P: Parts>(&self) -> AppState<P> {
        self.changed().state().await
    }

    async fn kid(&self, which: &str) -> String {
        let ring = self.secrets.value(&self.id(RING)).await;
        ring[which]["kid"].as_str().unwrap().to_owned()
    }

    async fn published(&self) -> Vec<String> {
        let ring = self.secrets.value(&self.id("jwt-public")).await;
        let keys = ring["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn token(auth: &AppState<Auth>) -> String {
    let subject = Subject {
        user_id: Uuid::now_v7(),
        role: Role::Customer,
        wallet_id: Uuid::now_v7(),
        email_verified: true,
        step_up_until: None,
        as_of: OffsetDateTime::now_utc(),
    };
    auth.signer.sign(subject).await.unwrap()
}

/// An environment that knows what was before, and one that has just started, both of the function
/// that signs and of one that verifies: each accepts what each signs.
struct Everybody<'a> {
    own: &'a Own,
    auth: AppState<Auth>,
    ops: AppState<Ops>,
    tokens: Vec<String>,
}

impl<'a> Everybody<'a> {
    async fn of(own: &'a Own) -> Self {
        let (auth, ops) = (own.fresh::<Auth>().await, own.fresh::<Ops>().await);
        let tokens = vec![token(&auth).await];
        let everybody = Self {
            own,
            auth,
            ops,
            tokens,
        };
        everybody.accepts(&everybody.tokens[0]).await;
        everybody
    }

    async fn accepts(&self, token: &str) {
        let ops = self.own.fresh::<Ops>().await;
        for verifier in [&self.ops.verifier, &ops.verifier] {
            verifier.verify(token).await.unwrap();
        }
    }

    async fn gets_along(&mut self) {
        for auth in [self.auth.clone(), self.own.fresh::<Auth>().await] {
            let token = token(&auth).await;
            self.accepts(&token).await;
            self.tokens.push(token);
        }
        for earlier in &self.tokens {
            self.accepts(earlier).await;
        }
    }
}

#[tokio::test]
async fn each_step_may_be_repeated_and_nothing_is_pending_at_the_end() {
    let own = Own::with_ring().await;
    let rotator = own.fresh::<KeyRotator>().await;
    let (first, second) = (own.kid("current").await, own.kid("next").await);
    let version = own.secrets.begin_version(&own.id(RING)).await;
    for step in Step::ALL {
        let outcome = own.step(&rotator, RING, (step, &version)).await.unwrap();
        assert_eq!(outcome, "done", "{step:?}");
        let again = own.step(&rotator, RING, (step, &version)).await.unwrap();
        let tested = step == Step::TestSecret;
        assert_eq!(again == "done", tested, "{step:?} changes something again");
    }
    assert_eq!(
        own.secrets.labels(&own.id(RING), &version).await,
        ["AWSCURRENT"]
    );
    assert_eq!(own.kid("current").await, second);
    let third = own.kid("next").await;
    assert_eq!(own.published().await, [third, second, first]);
    // And each of them once more, after the end.
    for step in Step::ALL {
        let again = own.step(&rotator, RING, (step, &version)).await.unwrap();
        assert_eq!(again, "done before", "{step:?}");
    }
}

#[tokio::test]
async fn rotation_that_is_cut_off_anywhere_is_resumed_and_nobody_notices() {
    let own = Own::with_ring().await;
    let rotator = own.fresh::<KeyRotator>().await;
    let mut everybody = Everybody::of(&own).await;
    for done in 0..=Step::ALL.len() {
        let next = own.kid("next").await;
        let version = own.secrets.begin_version(&own.id(RING)).await;
        for step in &Step::ALL[..done] {
            own.step(&rotator, RING, (*step, &version)).await.unwrap();
            everybody.gets_along().await;
        }
        for step in Step::ALL {
            own.step(&rotator, RING, (step, &version)).await.unwrap();
            everybody.gets_along().await;
        }
        assert_eq!(own.kid("current").await, next, "after {done} steps");
        assert_eq!(
            own.secrets.labels(&own.id(RING), &version).await,
            ["AWSCURRENT"]
        );
    }
}

#[tokio::test]
async fn key_that_was_published_this_moment_is_accepted_by_who_has_read_the_moment_before() {
    let own = Own::with_ring().await;
    let rotator = own.fresh::<KeyRotator>().await;
    let mut everybody = Everybody::of(&own).await;
    for _ in 0..5 {
        own.rotate(&rotator, RING).await;
        own.rotate(&rotator, RING).await;
        everybody.gets_along().await;
    }
    // One that signs, one that is next, and every one of the ten before.
    assert_eq!(own.published().await.len(), 12);
}

#[tokio::test]
async fn revoked_ring_is_refused_and_signs_no_more() {
    let own = Own::with_ring().await;
    let rotator = own.fresh::<KeyRotator>().await;
    own.rotate(&rotator, RING).await;
    let (stale, leaked) = (own.fresh::<Auth>().await, own.published().await);
    // This environment has read the private ring, and will use it for minutes.
    let text = stale.secrets.text(&own.id(RING)).await;
    assert!(text.is_ok());
    let revoked = token(&own.fresh::<Auth>().await).await;
    own.secrets.revoke_current(&own.id(RING)).await;
    let version = own.secrets.begin_version(&own.id(RING)).await;
    own.step(&rotator, RING, (Step::CreateSecret, &version))
        .await
        .unwrap();
    assert_eq!(own.published().await, leaked);
    for step in &Step::ALL[1..] {
        own.step(&rotator, RING, (*step, &version)).await.unwrap();
        // Published, and from then on at whatever point it is cut off.
        let published = own.published().await;
        assert_eq!(published.len(), 2);
        assert!(published.iter().all(|kid| !leaked.contains(kid)));
        let ops = own.fresh::<Ops>().await;
        assert!(ops.verifier.verify(&revoked).await.is_err());
        for auth in [&stale, &own.fresh::<Auth>().await] {
            let token = token(auth).await;
            assert!(ops.verifier.verify(&token).await.is_ok(), "{step:?}");
        }
    }
    // The mark stays with what leaked: the next rotation is one like others.
    own.rotate(&rotator, RING).await;
    assert_eq!(own.published().await.len(), 3);
}

#[tokio::test]
async fn version_that_is_not_pending_and_a_secret_of_another_kind_are_refused() {
    let own = Own::with_ring().await;
    let rotator = own.fresh::<KeyRotator>().await;
    let version = own.secrets.begin_version(&own.id(RING)).await;
    for step in [Step::SetSecret, Step::FinishSecret] {
        let error = own
            .step(&rotator, RING, (step, &version))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "the pending version has no value");
    }
    let unknown = Uuid::new_v4().to_string();
    let refused = own
        .step(&rotator, RING, (Step::CreateSecret, &unknown))
        .await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the version is not pending"
    );
    own.secrets
        .create(&own.id("stripe"), &json!({"secret_key": "sk"}))
        .await;
    let version = own.secrets.begin_version(&own.id("stripe")).await;
    let refused = own
        .step(&rotator, "stripe", (Step::CreateSecret, &version))
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("neither the ring")
    );
}
