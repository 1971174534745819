//! Database logins.

use key_rotator::AppState;
use serde_json::{Value, json};
use shared::events::Step;
use shared::state::Sweeper;
use shared::store::database;
use sqlx::{ConnectOptions, Executor, PgConnection};
use tests::{Stack, TestDatabase};

use super::Own;

const FIRST: &str = "the-first-password";

/// A function that nobody deploys, with two logins as the real ones have them, on a database of
/// its own. Roles are the server's, so each test has others.
struct Trial {
    own: Own,
    database: TestDatabase,
    secret: String,
    role: String,
}

impl Trial {
    async fn new() -> Self {
        let (own, database) = (Own::new().await, TestDatabase::create().await);
        let role = format!("trial_{}", own.stage.replace('-', "_"));
        let secret = format!("db/{}", role.replace('_', "-"));
        let mut owner = database.options().connect().await.unwrap();
        for statement in [
            format!("create role {role} nologin"),
            format!("create role {role}_a login in role {role} password '{FIRST}'"),
            format!("create role {role}_b login in role {role}"),
            format!("grant select on _sqlx_migrations to {role}"),
        ] {
            owner.execute(statement.as_str()).await.unwrap();
        }
        let trial = Self {
            own,
            database,
            secret,
            role,
        };
        let id = trial.own.id(&trial.secret);
        trial
            .own
            .secrets
            .create(&id, &trial.login("_a", FIRST))
            .await;
        trial
    }

    /// Removes what would outlive the database.
    async fn end(self) {
        let mut owner = self.database.options().connect().await.unwrap();
        let role = &self.role;
        for statement in [
            format!("drop owned by {role}"),
            format!("drop role {role}_a, {role}_b, {role}"),
        ] {
            owner.execute(statement.as_str()).await.unwrap();
        }
    }

    fn login(&self, which: &str, password: &str) -> Value {
        json!({"username": format!("{}{which}", self.role), "password": password})
    }

    async fn step(
        &self,
        rotator: &AppState,
        step: Step,
        version: &str,
    ) -> Result<String, lambda_runtime::Error> {
        self.own.step(rotator, &self.secret, (step, version)).await
    }

    async fn begin_version(&self) -> String {
        self.own
            .secrets
            .begin_version(&self.own.id(&self.secret))
            .await
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
        self.own.secrets.value(&self.own.id(&self.secret)).await
    }
}

#[tokio::test]
async fn idle_login_is_changed_step_by_step_and_the_one_in_use_never() {
    let trial = Trial::new().await;
    let rotator = trial.rotator().await;
    let mut in_use = trial.current().await;
    for done in 0..=Step::ALL.len() {
        let version = trial.begin_version().await;
        for step in Step::ALL[..done].iter().chain(&Step::ALL) {
            trial.step(&rotator, *step, &version).await.unwrap();
            trial.step(&rotator, *step, &version).await.unwrap();
            assert!(trial.connects(&in_use).await, "{step:?} after {done}");
            assert!(trial.connects(&trial.current().await).await);
        }
        let now = trial.current().await;
        assert_ne!(now["username"], in_use["username"]);
        assert!(trial.connects(&now).await);
        let id = trial.own.id(&trial.secret);
        assert_eq!(
            trial.own.secrets.labels(&id, &version).await,
            ["AWSCURRENT"]
        );
        in_use = now;
    }
    // The first password went with the second rotation.
    assert!(!trial.connects(&trial.login("_a", FIRST)).await);
    trial.end().await;
}

#[tokio::test]
async fn login_is_tried_out_before_it_is_used() {
    let trial = Trial::new().await;
    let rotator = trial.rotator().await;
    let version = trial.begin_version().await;
    let first = trial.current().await;
    trial
        .step(&rotator, Step::CreateSecret, &version)
        .await
        .unwrap();
    let refused = trial.step(&rotator, Step::TestSecret, &version).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the database did not do it"
    );
    trial
        .step(&rotator, Step::SetSecret, &version)
        .await
        .unwrap();
    trial
        .step(&rotator, Step::TestSecret, &version)
        .await
        .unwrap();
    assert_eq!(trial.current().await, first);
    trial.end().await;
}

#[tokio::test]
async fn login_of_another_function_is_refused() {
    let trial = Trial::new().await;
    let (own, rotator) = (&trial.own, trial.rotator().await);
    let other = trial.login("_a", FIRST);
    own.secrets.create(&own.id("db/auth"), &other).await;
    let version = own.secrets.begin_version(&own.id("db/auth")).await;
    let refused = own
        .step(&rotator, "db/auth", (Step::CreateSecret, &version))
        .await;
    let words = "the secret has no current value of the expected shape";
    assert_eq!(refused.unwrap_err().to_string(), words);
    trial.end().await;
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
    let (role, login) = (trial.role.clone(), format!("{}_b", trial.role));
    let mut rotator = trial.database.connect_as("key_rotator").await;
    assert_eq!(set(&mut rotator, &login, VERIFIER).await, Ok(()));
    let unlike = format!("{role}_a_b");
    for other in [
        "postgres",
        "replicator",
        &role,
        "auth",
        "nobody_a",
        &unlike,
        "",
    ] {
        let refused = set(&mut rotator, other, VERIFIER).await;
        assert_eq!(refused, Err(REFUSED.to_owned()), "{other}");
    }
    let broken = format!("{VERIFIER}'x");
    for verifier in [
        "hunter2",
        "",
        "md5d41d8cd98f00b204e9800998ecf8427e",
        &broken,
    ] {
        let refused = set(&mut rotator, &login, verifier).await;
        assert_eq!(refused, Err("22023".to_owned()), "{verifier}");
    }
    let alter = format!("alter role {login} password 'x'");
    assert!(rotator.execute(alter.as_str()).await.is_err());
    for function in ["auth", "checkout", "sweeper"] {
        let mut other = trial.database.connect_as(function).await;
        let refused = set(&mut other, &login, VERIFIER).await;
        assert_eq!(refused, Err(REFUSED.to_owned()), "{function}");
    }
    trial.end().await;
}

#[tokio::test]
async fn function_goes_on_by_the_pending_or_the_previous_login_when_the_current_is_refused() {
    let trial = Trial::new().await;
    let (own, role) = (&trial.own, &trial.role);
    let id = own.id(&trial.secret);
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
    own.secrets.put(&id, &trial.login("_a", "wrong")).await;
    begin().await;
    // Neither of the two that it can read by now works; the one that is being made does.
    let mut owner = trial.database.options().connect().await.unwrap();
    let alter = format!("alter role {role}_a password 'another'");
    owner.execute(alter.as_str()).await.unwrap();
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1";
    let login = format!("{role}_a");
    sqlx::query(end)
        .bind(login)
        .execute(&mut owner)
        .await
        .unwrap();
    let pending = trial.login("_a", "another").to_string();
    let put = own.secrets.client.put_secret_value().secret_id(&id);
    let put = put.version_stages("AWSPENDING").secret_string(pending);
    put.send().await.unwrap();
    begin().await;
    trial.end().await;
}
