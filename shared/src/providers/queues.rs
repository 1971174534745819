//! SQS: where events are sent, and where messages go back.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;

use super::AwsError;
use crate::config::QueueUrls;
use crate::domain::events::{Envelope, Queue};
use crate::resilience::{CallError, Intent, call};

/// Sends events.
#[derive(Clone)]
pub struct Queues {
    client: Client,
    urls: QueueUrls,
}

/// A message that a queue has given out.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The queue's ARN.
    pub queue_arn: &'a str,
    /// Stands for this one receipt.
    pub receipt_handle: &'a str,
    /// What was sent.
    pub body: &'a str,
}

/// Why a message is among the dead letters. A redrive by SQS itself would not say.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// What kind of failure it was.
    pub class: &'static str,
    /// The failure and its causes, at most some hundred characters.
    pub error: String,
    /// RFC 3339.
    pub first_failed_at: String,
}

impl Queues {
    /// Sends through `aws` to the queues at `urls`.
    pub fn new(aws: &SdkConfig, urls: QueueUrls) -> Self {
        Self {
            client: Client::new(aws),
            urls,
        }
    }

    /// Sends one event. A repeat is harmless: consumers know the event's id.
    ///
    /// # Errors
    /// The queue did not take it; it may have, when the answer was lost.
    pub async fn send(&self, queue: Queue, envelope: &Envelope) -> Result<(), CallError<AwsError>> {
        self.send_as(Intent::QueueSend, queue, envelope).await
    }

    /// Sends an event that nobody depends on: briefly, and once.
    ///
    /// # Errors
    /// As [`Queues::send`].
    pub async fn nudge(
        &self,
        queue: Queue,
        envelope: &Envelope,
    ) -> Result<(), CallError<AwsError>> {
        self.send_as(Intent::NudgeSend, queue, envelope).await
    }

    async fn send_as(
        &self,
        intent: Intent,
        queue: Queue,
        envelope: &Envelope,
    ) -> Result<(), CallError<AwsError>> {
        let url = self.urls.get(queue).ok_or(CallError::NotStarted {
            dependency: "sqs",
            reason: "the function was not told of that queue",
        })?;
        let body = serde_json::json!(envelope).to_string();
        call(intent, || async {
            let sent = self
                .client
                .send_message()
                .queue_url(url)
                .message_body(&body)
                .send()
                .await;
            sent.map(drop).map_err(AwsError::from)
        })
        .await
    }

    /// Lets a message be seen again after `pause`.
    ///
    /// # Errors
    /// The queue does not answer; the message is seen when its visibility ends.
    pub async fn postpone(
        &self,
        received: Received<'_>,
        pause: Duration,
    ) -> Result<(), CallError<AwsError>> {
        let url = self.source(received)?;
        let seconds = i32::try_from(pause.as_secs()).unwrap_or(i32::MAX);
        call(Intent::QueuePostpone, || async {
            let change = self
                .client
                .change_message_visibility()
                .queue_url(url)
                .receipt_handle(received.receipt_handle)
                .visibility_timeout(seconds);
            change.send().await.map(drop).map_err(AwsError::from)
        })
        .await
    }

    /// Sends a copy of a message to the dead letters of its queue, with the reason.
    ///
    /// # Errors
    /// The queue did not take it; it may have, when the answer was lost.
    pub async fn reject(
        &self,
        received: Received<'_>,
        rejection: &Rejection,
    ) -> Result<(), CallError<AwsError>> {
        // Every queue's dead letters have its name and this ending.
        let url = format!("{}-dlq", self.source(received)?);
        call(Intent::QueueSend, || async {
            let send = self
                .client
                .send_message()
                .queue_url(&url)
                .message_body(received.body)
                .message_attributes("error_class", text(rejection.class)?)
                .message_attributes("error", text(&rejection.error)?)
                .message_attributes("first_failed_at", text(&rejection.first_failed_at)?);
            send.send().await.map(drop).map_err(AwsError::from)
        })
        .await
    }

    /// The address of the queue that a message came from.
    fn source(&self, received: Received<'_>) -> Result<&str, CallError<AwsError>> {
        let name = received.queue_arn.rsplit(':').next().unwrap_or_default();
        let is_it = |url: &&str| url.rsplit('/').next() == Some(name);
        self.urls.all().find(is_it).ok_or(CallError::NotStarted {
            dependency: "sqs",
            reason: "the message came from another queue",
        })
    }
}

fn text(value: &str) -> Result<MessageAttributeValue, AwsError> {
    let value = MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value);
    value.build().map_err(AwsError::interrupted)
}
