//! SQS: where events are sent.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;

use super::AwsError;
use crate::config::Config;
use crate::domain::events::{Envelope, Queue};
use crate::resilience::{CallError, Intent, call};

/// Sends events.
#[derive(Clone)]
pub struct Queues {
    client: Client,
    orders_url: String,
    mail_url: String,
    catalogue_url: String,
}

impl Queues {
    /// Sends through `aws` to the queues that `config` names.
    pub fn new(aws: &SdkConfig, config: &Config) -> Self {
        Self {
            client: Client::new(aws),
            orders_url: config.orders_queue_url.clone(),
            mail_url: config.mail_queue_url.clone(),
            catalogue_url: config.catalogue_queue_url.clone(),
        }
    }

    /// Sends one event. A repeat is harmless: consumers know the event's id.
    ///
    /// # Errors
    /// The queue did not take it; it may have, when the answer was lost.
    pub async fn send(&self, queue: Queue, envelope: &Envelope) -> Result<(), CallError<AwsError>> {
        let body = serde_json::json!(envelope).to_string();
        call(Intent::QueueSend, || async {
            let sent = self
                .client
                .send_message()
                .queue_url(self.url(queue))
                .message_body(&body)
                .send()
                .await;
            sent.map(drop).map_err(AwsError::from)
        })
        .await
    }

    fn url(&self, queue: Queue) -> &str {
        match queue {
            Queue::Orders => &self.orders_url,
            Queue::Mail => &self.mail_url,
            Queue::Catalogue => &self.catalogue_url,
        }
    }
}
