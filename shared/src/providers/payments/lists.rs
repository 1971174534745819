//! The provider's own lists: what it was asked for, found without its keys.

use time::OffsetDateTime;
use uuid::Uuid;

use super::answers::{Listed, Listing, Pages};
use super::{Outcome, PaymentError, Payments, Request};

/// A payment in the provider's own list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The provider's payment.
    pub payment_id: String,
    /// Our attempt that it was made for.
    pub attempt_id: Uuid,
    /// Whether money has moved.
    pub charged: bool,
    /// How much, in minor units.
    pub amount_minor: i64,
}

impl Payments {
    /// Looks for the payment of an attempt that began at `since` in the provider's
    /// own list: after a day the provider has forgotten the attempt's key.
    ///
    /// # Errors
    /// The provider did not say. Costs a call for every hundred payments since then.
    pub async fn find(
        &self,
        attempt_id: Uuid,
        since: OffsetDateTime,
    ) -> Result<Option<Outcome>, PaymentError> {
        let is_it = |payment: &Listed| payment.attempt_id() == Some(attempt_id);
        let mut pages = Pages::since(since);
        while let Some(page) = self.page(&mut pages).await? {
            if let Some(payment) = page.iter().find(|payment| is_it(payment)) {
                return self.retrieve(&payment.id).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Every payment of this shop that the provider was asked for in a stretch of time.
    ///
    /// # Errors
    /// The provider did not say. Costs a call for every hundred payments.
    pub async fn made_between(
        &self,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Vec<Made>, PaymentError> {
        let mut made = Vec::new();
        let mut pages = Pages::since(from);
        pages.until = Some(until);
        while let Some(page) = self.page(&mut pages).await? {
            // What carries none of our ids was made by something else on the same account.
            made.extend(page.into_iter().filter_map(Listed::made));
        }
        Ok(made)
    }

    async fn page(&self, pages: &mut Pages) -> Result<Option<Vec<Listed>>, PaymentError> {
        let Some(form) = pages.next_form() else {
            return Ok(None);
        };
        let request = Request::question("/v1/payment_intents", form);
        let page: Listing = self.send(request, None).await?;
        pages.note(&page);
        Ok(Some(page.data))
    }

    /// Looks for a refund in the provider's own list: after a day the provider has
    /// forgotten its key.
    ///
    /// # Errors
    /// The provider did not say.
    pub async fn find_refund(
        &self,
        refund_id: Uuid,
        payment_id: &str,
    ) -> Result<Option<String>, PaymentError> {
        let form = vec![
            ("payment_intent", payment_id.to_owned()),
            ("limit", "100".to_owned()),
        ];
        let request = Request::question("/v1/refunds", form);
        let refunds: Listing = self.send(request, None).await?;
        let is_it =
            |refund: &Listed| refund.metadata.get("refund_id") == Some(&refund_id.to_string());
        Ok(refunds.data.into_iter().find(is_it).map(|refund| refund.id))
    }
}
