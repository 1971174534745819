//! Secrets Manager of the running stack, with the rights of the account's root.

use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Credentials;
use local::aws;
use serde_json::Value;

use crate::Stack;

/// Both regions of it.
#[derive(Debug, Clone)]
pub struct TestSecrets {
    /// The first region.
    pub client: Client,
    secondary: Client,
}

impl TestSecrets {
    /// Those of the running stack.
    ///
    /// # Panics
    /// There is none.
    pub async fn open() -> Self {
        let stack = Stack::running();
        Self {
            client: client(&stack.aws_endpoint_url, aws::REGION).await,
            secondary: client(&stack.aws_secondary_endpoint_url, aws::SECONDARY_REGION).await,
        }
    }

    /// Rotates a secret as its schedule would, waits for the end, and brings the other region
    /// up to date, which AWS does by itself. How long the rotation took.
    ///
    /// # Panics
    /// It does not end within a minute.
    pub async fn rotate(&self, id: &str) -> Duration {
        let began = Instant::now();
        let started = self.client.rotate_secret().secret_id(id).send().await;
        let version = started.unwrap().version_id.unwrap();
        self.is_current(id, &version).await;
        let took = began.elapsed();
        self.replicate().await;
        took
    }

    /// Copies what differs to the other region: a rotation of the ring writes its public half too.
    async fn replicate(&self) {
        let mut pages = self.client.list_secrets().into_paginator().send();
        let mut ids = Vec::new();
        while let Some(page) = pages.next().await {
            let listed = page.unwrap().secret_list.unwrap_or_default();
            ids.extend(listed.into_iter().filter_map(|secret| secret.name));
        }
        for id in ids {
            let read = async |client: &Client| {
                let read = client.get_secret_value().secret_id(&id).send().await;
                read.ok().and_then(|read| read.secret_string)
            };
            let (here, there) = tokio::join!(read(&self.client), read(&self.secondary));
            // What another test made is in one region only.
            if let (Some(here), Some(there)) = (here, there)
                && here != there
            {
                let put = self.secondary.put_secret_value().secret_id(&id);
                put.secret_string(here).send().await.unwrap();
            }
        }
    }

    /// Waits until a version is in use and nothing is pending.
    ///
    /// # Panics
    /// It is not within a minute.
    pub async fn is_current(&self, id: &str, version: &str) {
        const PAUSE: Duration = Duration::from_millis(50);
        for _ in 0..1_200 {
            if self.labels(id, version).await == ["AWSCURRENT"] {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{version} of {id} is not current");
    }

    /// The staging labels of a version.
    ///
    /// # Panics
    /// There is no such secret.
    pub async fn labels(&self, id: &str, version: &str) -> Vec<String> {
        let described = self.client.describe_secret().secret_id(id).send().await;
        let mut versions = described.unwrap().version_ids_to_stages.unwrap_or_default();
        versions.remove(version).unwrap_or_default()
    }

    /// The present value.
    ///
    /// # Panics
    /// There is none, or it is no JSON.
    pub async fn value(&self, id: &str) -> Value {
        let read = self.client.get_secret_value().secret_id(id).send().await;
        serde_json::from_str(&read.unwrap().secret_string.unwrap()).unwrap()
    }

    /// Makes a secret.
    ///
    /// # Panics
    /// There is one already.
    pub async fn create(&self, id: &str, value: &Value) {
        let create = self.client.create_secret().name(id);
        create
            .secret_string(value.to_string())
            .send()
            .await
            .unwrap();
    }

    /// Gives a secret another value, and answers the version's id.
    ///
    /// # Panics
    /// There is no such secret.
    pub async fn put(&self, id: &str, value: &Value) -> String {
        let put = self.client.put_secret_value().secret_id(id);
        let put = put.secret_string(value.to_string()).send().await;
        put.unwrap().version_id.unwrap()
    }

    /// A version without a value that is pending, as a rotation finds it.
    ///
    /// # Panics
    /// There is no such secret.
    pub async fn begin_version(&self, id: &str) -> String {
        let put = self.client.put_secret_value().secret_id(id);
        let put = put.version_stages("AWSPENDING").send().await;
        put.unwrap().version_id.unwrap()
    }

    /// Marks the present version as leaked, as an operator does.
    ///
    /// # Panics
    /// There is no such secret, or it was marked before.
    pub async fn revoke_current(&self, id: &str) {
        let read = self.client.get_secret_value().secret_id(id).send().await;
        let current = read.unwrap().version_id.unwrap();
        let described = self.client.describe_secret().secret_id(id).send().await;
        let versions = described.unwrap().version_ids_to_stages.unwrap_or_default();
        let marked = versions.into_iter().find_map(|(version, labels)| {
            labels
                .iter()
                .any(|label| label == "REVOKED")
                .then_some(version)
        });
        let update = self.client.update_secret_version_stage().secret_id(id);
        let update = update.version_stage("REVOKED").move_to_version_id(current);
        let update = update.set_remove_from_version_id(marked);
        update.send().await.unwrap();
    }
}

async fn client(endpoint: &str, region: &'static str) -> Client {
    let credentials = Credentials::new(aws::ACCESS_KEY, aws::SECRET_KEY, None, None, "test");
    let settings = aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .region(Region::new(region))
        .endpoint_url(endpoint);
    Client::new(&settings.load().await)
}
