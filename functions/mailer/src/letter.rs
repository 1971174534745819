//! What a mail says, and its two forms: text and HTML.

use askama::Template;
use shared::config::ShopConfig;
use shared::providers::mail::Letter;
use uuid::Uuid;

/// What a mail says. The HTML form escapes every part of it.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) heading: String,
    pub(crate) paragraphs: Vec<String>,
    pub(crate) action: Option<Action>,
    pub(crate) summary: Option<Summary>,
}

/// What the reader may do next.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) label: &'static str,
    pub(crate) link: String,
}

/// An order, or a part of one.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) order_id: Uuid,
    pub(crate) lines: Vec<SummaryLine>,
    /// The last one is the sum.
    pub(crate) totals: Vec<Total>,
    pub(crate) address: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct SummaryLine {
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) quantity: i32,
    pub(crate) amount: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Total {
    pub(crate) label: &'static str,
    pub(crate) amount: String,
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    shop: &'a ShopConfig,
    content: &'a Content,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    shop: &'a ShopConfig,
    content: &'a Content,
}

impl Content {
    /// The mail as it is sent.
    pub(crate) fn letter(self, shop: &ShopConfig) -> Result<Letter, askama::Error> {
        let content = &self;
        let (text, html) = (Text { shop, content }, Html { shop, content });
        Ok(Letter {
            text: text.render()?,
            html: html.render()?,
            to: self.to,
            subject: self.subject,
        })
    }
}
