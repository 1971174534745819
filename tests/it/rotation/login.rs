//! Database logins.

use key_rotator::AppState;
use serde_json::{Value, json};
use shared::events::Step;
use shared::state::Sweeper;
use shared::store::database;
use sqlx::{ConnectOptions, Executor, PgConnection};
use tests::{Stack, TestDatabase};

use super::Own;

/// The name of a function that nobody deploys, with logins as the real ones have them.
const FUNCTION: &str = "rotation-trial";
const ROLE: &str = "rotation_trial";
const SECRET: &str = "db/rotation-trial";
const FIRST: &str = "the-first-password";

/// A function's login on a database of its own.
struct Trial {
    own: Own,
    database: TestDatabase,
}

impl Trial {
    async fn new() -> Self {
        let (own, database) = (Own::new().await, TestDatabase::create().await);
        let mut owner = database.options().connect().await.unwrap();
        // Roles are the server's, so one may be left from a run before.
        for role in [
            format!("{ROLE} nologin"),
            format!("{ROLE}_a login in role {ROLE}"),
            format!("{ROLE}_b login in role {ROLE}"),
        ] {
            let _ = owner.execute(format!("create role {role}").as_str()).await;
        }
        let grant = format!("grant select on _sqlx_migrations to {ROLE}");
        owner.execute(grant.as_str()).await.unwrap();
        let alter = format!("alter role {ROLE}_a password '{FIRST}'");
        owner.execute(alter.as_str()).await.unwrap();
        own.secrets
            .create(&own.id(SECRET), &login("_a", FIRST))
            .await;
        Self { own, database }
    }

    async fn rotator(&self) -> AppState {
        let primary = &Stack::running().database["primary"];
        let host = format!("{}:{}", primary.host, primary.port);
        let changed = self.own.changed().with("DB_NAME", self.database.name());
        changed.with("DB_HOSTS", &host).state().await
    }

    async fn connects(&self, login: &Value) -> bool {
        let options = self.database.options();
        let options = options.username(login["username"].as_str().unwrap());
        let options = options.password(login["password"].as_str().unwrap());
        options.connect().await.is_ok()
    }

    async fn current(&self) -> Value {
        self.own.secrets.value(&self.own.id(SECRET)).await
    }
}

fn login(which: &str, password: &str) -> Value {
    json!({"username": format!("{ROLE}{which}"), "password": password})
}

#[tokio::test]
async fn idle_login_is_changed_step_by_step_and_the_one_in_use_never() {
    let trial = Trial::new().await;
    let (own, rotator) = (&trial.own, trial.rotator().await);
    let mut in_use = trial.current().await;
    for done in 0..=Step::ALL.len() {
        let version = own.secrets.begin_version(&own.id(SECRET)).await;
        for step in Step::ALL[..done].iter().chain(&Step::ALL) {
            own.step(&rotator, SECRET, (*step, &version)).await.unwrap();
            own.step(&rotator, SECRET, (*step, &version)).await.unwrap();
            assert!(trial.connects(&in_use).await, "{step:?} after {done}");
            assert!(trial.connects(&trial.current().await).await);
        }
        let now = trial.current().await;
        assert_ne!(now["username"], in_use["username"]);
        assert!(trial.connects(&now).await);
        assert_eq!(
            own.secrets.labels(&own.id(SECRET), &version).await,
            ["AWSCURRENT"]
        );
        in_use = now;
    }
    // The first password went with the second rotation.
    assert!(!trial.connects(&login("_a", FIRST)).await);
}

#[tokio::test]
async fn login_is_tried_out_before_it_is_used() {
    let trial = Trial::new().await;
    let (own, rotator) = (&trial.own, trial.rotator().await);
    let version = own.secrets.begin_version(&own.id(SECRET)).await;
    own.step(&rotator, SECRET, (Step::CreateSecret, &version))
        .await
        .unwrap();
    let refused = own
        .step(&rotator, SECRET, (Step::TestSecret, &version))
        .await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the database did not do it"
    );
    own.step(&rotator, SECRET, (Step::SetSecret, &version))
        .await
        .unwrap();
    own.step(&rotator, SECRET, (Step::TestSecret, &version))
        .await
        .unwrap();
    assert_eq!(
        trial.current().await["username"],
        format!("{ROLE}_a"),
        "{FUNCTION}"
    );
}

#[tokio::test]
async fn login_of_another_function_is_refused() {
    let trial = Trial::new().await;
    let (own, rotator) = (&trial.own, trial.rotator().await);
    own.secrets
        .create(&own.id("db/auth"), &login("_a", FIRST))
        .await;
    let version = own.secrets.begin_version(&own.id("db/auth")).await;
    let refused = own
        .step(&rotator, "db/auth", (Step::CreateSecret, &version))
        .await;
    let words = "the secret has no current value of the expected shape";
    assert_eq!(refused.unwrap_err().to_string(), words);
}

const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=\
                        :wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

async fn set(connection: &mut PgConnection, login: &str, verifier: &str) -> Result<(), String> {
    let set = sqlx::query("select set_login_verifier($1, $2)")
        .bind(login)
        .bind(verifier);
    let code = |error: sqlx::Error| {
        error
            .as_database_error()
            .unwrap()
            .code()
            .unwrap()
            .into_owned()
    };
    set.execute(connection).await.map(drop).map_err(code)
}

#[tokio::test]
async fn rotator_can_set_nothing_but_verifiers_of_functions_logins() {
    const REFUSED: &str = "42501";
    let trial = Trial::new().await;
    let mut rotator = trial.database.connect_as("key_rotator").await;
    assert_eq!(
        set(&mut rotator, "rotation_trial_b", VERIFIER).await,
        Ok(())
    );
    for other in [
        "postgres",
        "replicator",
        "rotation_trial",
        "auth",
        "nobody_a",
        "rotation_trial_a_b",
        "",
    ] {
        let refused = set(&mut rotator, other, VERIFIER).await;
        assert_eq!(refused, Err(REFUSED.to_owned()), "{other}");
    }
    for verifier in [
        "hunter2",
        "",
        "md5d41d8cd98f00b204e9800998ecf8427e",
        &format!("{VERIFIER}'x"),
    ] {
        let refused = set(&mut rotator, "rotation_trial_b", verifier).await;
        assert_eq!(refused, Err("22023".to_owned()), "{verifier}");
    }
    let alter = rotator
        .execute("alter role rotation_trial_b password 'x'")
        .await;
    assert!(alter.is_err());
    for role in ["auth", "checkout", "sweeper"] {
        let mut other = trial.database.connect_as(role).await;
        let refused = set(&mut other, "rotation_trial_b", VERIFIER).await;
        assert_eq!(refused, Err(REFUSED.to_owned()), "{role}");
    }
}

#[tokio::test]
async fn function_goes_on_by_the_pending_or_the_previous_login_when_the_current_is_refused() {
    let trial = Trial::new().await;
    let own = &trial.own;
    let id = own.id(SECRET);
    let primary = &Stack::running().database["primary"];
    let state = own
        .changed()
        .with("DB_NAME", trial.database.name())
        .with("DB_HOSTS", &format!("{}:{}", primary.host, primary.port))
        .with("DB_SECRET_ID", &id)
        .state::<Sweeper>()
        .await;
    let begin = async || {
        let tx = state.database.begin().await.unwrap();
        database::commit(tx).await.unwrap();
    };
    own.secrets.put(&id, &login("_a", "wrong")).await;
    begin().await;
    // Neither of the two that it can read by now works; the one that is being made does.
    let mut owner = trial.database.options().connect().await.unwrap();
    let end = format!(
        "alter role {ROLE}_a password 'another'; select pg_terminate_backend(pid) from pg_stat_activity where usename like '{ROLE}%'"
    );
    owner.execute(sqlx::raw_sql(&end)).await.unwrap();
    let put = own.secrets.client.put_secret_value().secret_id(&id);
    let put = put
        .version_stages("AWSPENDING")
        .secret_string(login("_a", "another").to_string());
    put.send().await.unwrap();
    begin().await;
}
