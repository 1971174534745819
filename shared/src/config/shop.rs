//! The shop itself: its name, its mail, its money, and where its events go.

use super::{Reader, Smtp};
use crate::domain::address::Country;
use crate::domain::events::Queue;
use crate::domain::money::Currency;

/// What mails say about the shop.
#[derive(Debug, Clone)]
pub struct ShopConfig {
    /// Shown in mails.
    pub name: String,
    /// Links in mails start with it.
    pub url: String,
}

/// Who sends mails, and the second provider.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// The sender.
    pub from: String,
    /// The identity that SES sends as, for whoever asks whether it would.
    pub identity: Option<String>,
    /// The second mail provider.
    pub smtp: Option<Smtp>,
}

/// The payment provider.
#[derive(Debug, Clone)]
pub struct PaymentsConfig {
    /// Its origin.
    pub url: String,
    /// The name of the secret with its keys.
    pub secret_id: String,
}

/// The addresses of the queues that a function sends to or is fed from, and of no others.
#[derive(Debug, Clone, Default)]
pub struct QueueUrls(Vec<(Queue, String)>);

impl ShopConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            name: shop_name(reader),
            url: reader.url("SHOP_URL"),
        }
    }
}

impl MailConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let from = reader.text("MAIL_FROM");
        let address = from.rsplit('<').next().unwrap_or_default();
        match address.trim_end_matches('>').rsplit_once('@') {
            Some((name, domain)) if !name.is_empty() && !domain.is_empty() => {
                reader.check_host("MAIL_FROM", domain);
            }
            _ if from.is_empty() => {}
            _ => reader.fault(
                "MAIL_FROM",
                format_args!("must be an address, alone or like Shop <orders@…>, not {from:?}"),
            ),
        }
        Self {
            from,
            identity: None,
            smtp: Smtp::read(reader),
        }
    }

    /// The same for whoever sends, and so signs in.
    pub(super) fn with_login(mut self, reader: &mut Reader) -> Self {
        let secret_id = reader.secret_id_if_given("SMTP_SECRET_ID", "smtp");
        match &mut self.smtp {
            Some(smtp) => smtp.secret_id = secret_id,
            None if secret_id.is_some() => {
                reader.fault("SMTP_HOST", "is missing beside SMTP_SECRET_ID");
            }
            None => {}
        }
        self
    }
}

/// Stripe's own.
const STRIPE: &str = "https://api.stripe.com";

/// The payment provider's origin.
pub(super) fn payments_url(reader: &mut Reader) -> String {
    let url = reader.url_if_given("STRIPE_BASE_URL");
    url.unwrap_or_else(|| STRIPE.to_owned())
}

impl PaymentsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            url: payments_url(reader),
            secret_id: reader.secret_id("STRIPE_SECRET_ID", "stripe"),
        }
    }
}

/// What the shop is called.
pub(super) fn shop_name(reader: &mut Reader) -> String {
    reader.text_or("SHOP_NAME", "Holdfast")
}

/// The shop's one currency.
pub(super) fn currency(reader: &mut Reader) -> Currency {
    reader.parsed("SHOP_CURRENCY", Currency::EUR, |code| {
        Currency::try_from(code)
    })
}

/// Where a cart is priced for before an address is known.
pub(super) fn country(reader: &mut Reader) -> Country {
    reader.parsed("SHOP_COUNTRY", Country::GERMANY, |code| {
        Country::try_from(code)
    })
}

impl QueueUrls {
    pub(super) fn read(reader: &mut Reader, queues: &[Queue]) -> Self {
        let url = |queue: &Queue| {
            let name = match queue {
                Queue::Orders => "ORDERS_QUEUE_URL",
                Queue::Mail => "MAIL_QUEUE_URL",
                Queue::Catalogue => "CATALOGUE_QUEUE_URL",
                Queue::Analytics => "ANALYTICS_QUEUE_URL",
            };
            (*queue, reader.url(name))
        };
        Self(queues.iter().map(url).collect())
    }

    /// The address of a queue, if the function was told of it.
    pub fn get(&self, queue: Queue) -> Option<&str> {
        let mut urls = self.0.iter();
        let found = urls.find(|(known, _)| *known == queue);
        found.map(|(_, url)| url.as_str())
    }

    /// The queue of that name, if the function was told of it.
    pub fn named(&self, name: &str) -> Option<Queue> {
        let mut urls = self.0.iter();
        let found = urls.find(|(_, url)| url.rsplit('/').next() == Some(name));
        found.map(|(queue, _)| *queue)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, url)| url.as_str())
    }
}
