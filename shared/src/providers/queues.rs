//! SQS: where events are sent, and where messages go back.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use uuid::Uuid;

use super::AwsError;
use crate::config::QueueUrls;
use crate::domain::dead_letters::ErrorClass;
use crate::domain::events::{Envelope, Queue};
use crate::resilience::{CallError, Intent, call, probe};

/// What is written beside a message, by name.
pub mod attributes {
    /// What kind of failure it died of.
    pub const ERROR_CLASS: &str = "error_class";
    /// The failure and its causes.
    pub const ERROR: &str = "error";
    /// How often it was taken.
    pub const ATTEMPTS: &str = "attempts";
    /// When it was first taken, RFC 3339.
    pub const FIRST_FAILED_AT: &str = "first_failed_at";
    /// When it was given up, RFC 3339.
    pub const FAILED_AT: &str = "failed_at";
    /// Which dead letter was sent again with it.
    pub const REPLAY_OF: &str = "replay_of";
}

/// Every queue's dead letters have its name and this ending.
const DEAD_LETTERS: &str = "-dlq";

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
    pub class: ErrorClass,
    /// The failure and its causes, at most some hundred characters.
    pub error: String,
    /// How often the message was taken.
    pub attempts: u32,
    /// Which dead letter the message was sent again for, if it was.
    pub replay_of: Option<Uuid>,
    /// RFC 3339.
    pub first_failed_at: String,
    /// RFC 3339.
    pub failed_at: String,
}

/// How many messages a queue holds, as SQS estimates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Those that a consumer can take.
    pub waiting: u64,
    /// Those that one has taken, and has not answered yet.
    pub in_flight: u64,
    /// Those that can be taken later.
    pub delayed: u64,
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
        let url = self.url(queue)?;
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

    /// Sends what a dead letter says once more. A repeat is harmless, as of an event.
    ///
    /// # Errors
    /// As [`Queues::send`].
    pub async fn replay(
        &self,
        queue: Queue,
        dead_letter: Uuid,
        body: &str,
    ) -> Result<(), CallError<AwsError>> {
        let url = self.url(queue)?;
        let dead_letter = dead_letter.to_string();
        call(Intent::QueueSend, || async {
            let send = self
                .client
                .send_message()
                .queue_url(url)
                .message_body(body)
                .message_attributes(attributes::REPLAY_OF, text(&dead_letter)?);
            send.send().await.map(drop).map_err(AwsError::from)
        })
        .await
    }

    /// The queue whose dead letters come from the queue with this ARN.
    pub fn of_dead_letters(&self, arn: &str) -> Option<Queue> {
        let name = arn.rsplit(':').next()?;
        self.urls.named(name.strip_suffix(DEAD_LETTERS)?)
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
        let url = format!("{}{DEAD_LETTERS}", self.source(received)?);
        let attempts = rejection.attempts.to_string();
        let replay_of = rejection.replay_of.map(|id| id.to_string());
        call(Intent::QueueSend, || async {
            let mut send = self
                .client
                .send_message()
                .queue_url(&url)
                .message_body(received.body)
                .message_attributes(attributes::ERROR_CLASS, text(rejection.class.name())?)
                .message_attributes(attributes::ERROR, text(&rejection.error)?)
                .message_attributes(attributes::ATTEMPTS, text(&attempts)?)
                .message_attributes(
                    attributes::FIRST_FAILED_AT,
                    text(&rejection.first_failed_at)?,
                )
                .message_attributes(attributes::FAILED_AT, text(&rejection.failed_at)?);
            if let Some(id) = &replay_of {
                send = send.message_attributes(attributes::REPLAY_OF, text(id)?);
            }
            send.send().await.map(drop).map_err(AwsError::from)
        })
        .await
    }

    /// How full a queue is, asked whatever the breaker says: for people, and no work depends on it.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn depth(&self, queue: Queue) -> Result<Depth, CallError<AwsError>> {
        self.depth_at(self.url(queue)?).await
    }

    /// The same of its dead letters that were not kept yet.
    ///
    /// # Errors
    /// As [`Queues::depth`].
    pub async fn dead_letters_depth(&self, queue: Queue) -> Result<Depth, CallError<AwsError>> {
        let url = format!("{}{DEAD_LETTERS}", self.url(queue)?);
        self.depth_at(&url).await
    }

    async fn depth_at(&self, url: &str) -> Result<Depth, CallError<AwsError>> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Waiting, ApproximateNumberOfMessagesDelayed as Delayed,
            ApproximateNumberOfMessagesNotVisible as InFlight,
        };
        probe(Intent::QueueInspect, || async {
            let question = self
                .client
                .get_queue_attributes()
                .queue_url(url)
                .set_attribute_names(Some(vec![Waiting, InFlight, Delayed]));
            let answer = question.send().await.map_err(AwsError::from)?;
            let number = |name: QueueAttributeName| {
                let told = answer.attributes().and_then(|all| all.get(&name));
                // One that is not told is unknown, and not none.
                let number = told.map_or("", String::as_str).parse::<u64>();
                number.map_err(AwsError::interrupted)
            };
            Ok::<_, AwsError>(Depth {
                waiting: number(Waiting)?,
                in_flight: number(InFlight)?,
                delayed: number(Delayed)?,
            })
        })
        .await
    }

    fn url(&self, queue: Queue) -> Result<&str, CallError<AwsError>> {
        self.urls.get(queue).ok_or(CallError::NotStarted {
            dependency: "sqs",
            reason: "the function was not told of that queue",
        })
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
