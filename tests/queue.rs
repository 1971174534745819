//! A queue of one test's own, with its dead letters, that no function listens to.

use crate::Stack;
use aws_config::{BehaviorVersion, Region};
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage, SqsMessageAttribute};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use local::aws;
use uuid::Uuid;

/// How long a received message is unseen, unless somebody says otherwise, in seconds.
const VISIBILITY_SECONDS: i32 = 600;

/// A queue.
#[derive(Debug, Clone)]
pub struct TestQueue {
    client: Client,
    name: String,
    /// Its address.
    pub url: String,
    /// The address of its dead letters.
    pub dead_letters_url: String,
}

impl TestQueue {
    /// Makes a queue.
    ///
    /// # Panics
    /// The emulator is away.
    pub async fn create() -> Self {
        let credentials = Credentials::new(aws::ACCESS_KEY, aws::SECRET_KEY, None, None, "test");
        let settings = aws_config::defaults(BehaviorVersion::latest())
            .credentials_provider(credentials)
            .region(Region::new(aws::REGION))
            .endpoint_url(Stack::running().aws_endpoint_url);
        let client = Client::new(&settings.load().await);
        let name = format!("test-{}", Uuid::new_v4().simple());
        let make = async |name: String| {
            let made = client.create_queue().queue_name(name).send().await;
            made.unwrap().queue_url.unwrap()
        };
        let (url, dead_letters_url) = (make(name.clone()).await, make(format!("{name}-dlq")).await);
        Self {
            client,
            name,
            url,
            dead_letters_url,
        }
    }

    /// Sends a message.
    ///
    /// # Panics
    /// The emulator is away.
    pub async fn send(&self, body: &str) {
        let send = self.client.send_message().queue_url(&self.url);
        send.message_body(body).send().await.unwrap();
    }

    /// Takes what is visible now.
    ///
    /// # Panics
    /// The emulator is away.
    pub async fn take(&self) -> Vec<Message> {
        self.take_from(&self.url).await
    }

    /// Takes what is among the dead letters.
    ///
    /// # Panics
    /// The emulator is away.
    pub async fn take_dead_letters(&self) -> Vec<Message> {
        self.take_from(&self.dead_letters_url).await
    }

    async fn take_from(&self, url: &str) -> Vec<Message> {
        let receive = self.client.receive_message().queue_url(url);
        let received = receive
            .max_number_of_messages(10)
            .visibility_timeout(VISIBILITY_SECONDS)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await;
        received.unwrap().messages.unwrap_or_default()
    }

    /// The messages as their function would be given them.
    pub fn batch(&self, messages: &[Message]) -> SqsEvent {
        batch_of(&self.name, messages)
    }

    /// The dead letters as the replayer would be given them.
    pub fn dead_batch(&self, messages: &[Message]) -> SqsEvent {
        batch_of(&format!("{}-dlq", self.name), messages)
    }
}

fn batch_of(queue: &str, messages: &[Message]) -> SqsEvent {
    let record = |message: &Message| {
        let mut record = SqsMessage::default();
        record.message_id = message.message_id.clone();
        record.receipt_handle = message.receipt_handle.clone();
        record.body = message.body.clone();
        let arn = format!("arn:aws:sqs:{}:{}:{queue}", aws::REGION, aws::ACCOUNT);
        record.event_source_arn = Some(arn);
        let attributes = message.attributes.iter().flatten();
        record.attributes = attributes
            .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
            .collect();
        let attributes = message.message_attributes.iter().flatten();
        record.message_attributes = attributes
            .map(|(name, value)| {
                let mut attribute = SqsMessageAttribute::default();
                attribute.string_value = value.string_value.clone();
                (name.clone(), attribute)
            })
            .collect();
        record
    };
    let mut batch = SqsEvent::default();
    batch.records = messages.iter().map(record).collect();
    batch
}
