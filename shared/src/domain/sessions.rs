//! Sessions: families of refresh tokens, each spent when its successor is given out.

mod key;

pub use key::SessionKey;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::accounts::{AccountError, Role};
use super::secrets::{Digest, Opaque};

/// How long a family lives, however often it is refreshed.
pub const FAMILY_LIFETIME: Duration = Duration::days(30);

/// How long a spent token still gets its successor: a browser that lost the
/// answer, or two tabs at once, ask again within seconds.
pub const GRACE: Duration = Duration::seconds(30);

/// Spent tokens that are remembered for their grace. A family that is refreshed
/// more often than this within it is not a person's.
const SPENT_MAX: usize = 8;

/// A refresh token: where its family is, and a secret. Opaque to clients.
#[derive(Debug, Clone)]
pub struct RefreshToken {
    /// Whose it is.
    pub user_id: Uuid,
    /// The session that it belongs to.
    pub family_id: Uuid,
    secret: Opaque,
}

impl RefreshToken {
    /// The first token of a family.
    pub const fn first(user_id: Uuid, family_id: Uuid, secret: Opaque) -> Self {
        Self {
            user_id,
            family_id,
            secret,
        }
    }

    /// The token that replaces this one: always the same, so that it can be given again.
    pub fn successor(&self, key: &SessionKey) -> Self {
        Self {
            secret: Opaque::from_bytes(key.code(&self.to_bytes())),
            ..*self
        }
    }

    /// What is stored of it.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// As clients hold it: base64url, 86 characters.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_bytes())
    }

    fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..16].copy_from_slice(self.user_id.as_bytes());
        bytes[16..32].copy_from_slice(self.family_id.as_bytes());
        bytes[32..].copy_from_slice(self.secret.as_bytes());
        bytes
    }
}

impl TryFrom<&str> for RefreshToken {
    type Error = AccountError;

    fn try_from(text: &str) -> Result<Self, AccountError> {
        let refused = AccountError::Credentials;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused)?;
        let bytes: [u8; 64] = bytes.try_into().map_err(|_| refused)?;
        let mut secret = [0; 32];
        secret.copy_from_slice(&bytes[32..]);
        Ok(Self {
            user_id: Uuid::from_slice(&bytes[..16]).map_err(|_| refused)?,
            family_id: Uuid::from_slice(&bytes[16..32]).map_err(|_| refused)?,
            secret: Opaque::from_bytes(secret),
        })
    }
}

/// A session: a family of refresh tokens, of which one is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Whose it is.
    pub user_id: Uuid,
    /// Its id.
    pub family_id: Uuid,
    /// The account's role when it was last refreshed. With the database away,
    /// a refresh goes by this and the next two.
    pub role: Role,
    /// The account's wallet.
    pub wallet_id: Uuid,
    /// Whether the account's address was verified.
    pub email_verified: bool,
    /// The account's epoch. Those of the release before have none.
    #[serde(default)]
    epoch: i32,
    /// The token that is good.
    current: Digest,
    /// Those spent lately, the latest last.
    spent: Vec<Spent>,
    /// When somebody signed in.
    #[serde(with = "time::serde::timestamp")]
    pub created_at: OffsetDateTime,
    /// When it was last refreshed.
    #[serde(with = "time::serde::timestamp")]
    pub used_at: OffsetDateTime,
    /// When it ends. Also what the table removes it by, some time later.
    #[serde(with = "time::serde::timestamp")]
    pub expires_at: OffsetDateTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Spent {
    digest: Digest,
    // Not an instant: the table's encoding has no i128, which `time` writes milliseconds as.
    at_ms: i64,
}

impl Spent {
    fn is_in_grace(&self, now: OffsetDateTime) -> bool {
        milliseconds(now) - self.at_ms <= milliseconds(OffsetDateTime::UNIX_EPOCH + GRACE)
    }
}

/// An instant as milliseconds since 1970.
pub fn milliseconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1_000 + i64::from(at.millisecond())
}

/// Whom a family signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The account's role.
    pub role: Role,
    /// Its wallet.
    pub wallet_id: Uuid,
    /// Whether its address was verified.
    pub email_verified: bool,
    /// Counted up whenever the account's sessions end.
    pub epoch: i32,
}

/// What a presented token gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the good one: it is spent and replaced.
    Rotate,
    /// It was spent a moment ago: its successor is given again.
    Repeat,
    /// It was spent longer ago, or is none of the family's: somebody else has a
    /// copy, so the family ends.
    Revoke,
    /// The family has ended.
    Over,
}

impl Family {
    /// A new session of `holder`, whose good token is `first`.
    pub fn begin(first: &RefreshToken, holder: Holder, now: OffsetDateTime) -> Self {
        Self {
            user_id: first.user_id,
            family_id: first.family_id,
            role: holder.role,
            wallet_id: holder.wallet_id,
            email_verified: holder.email_verified,
            epoch: holder.epoch,
            current: first.digest(),
            spent: Vec::new(),
            created_at: now,
            used_at: now,
            expires_at: now + FAMILY_LIFETIME,
        }
    }

    /// Whom it signs in.
    pub const fn holder(&self) -> Holder {
        Holder {
            role: self.role,
            wallet_id: self.wallet_id,
            email_verified: self.email_verified,
            epoch: self.epoch,
        }
    }

    /// Whether it was begun before the account's sessions ended, which the store of
    /// sessions may not have been told.
    pub const fn is_of_the_past(&self, holder: Holder) -> bool {
        self.epoch < holder.epoch
    }

    /// The digest of the token that is good.
    pub const fn current(&self) -> &Digest {
        &self.current
    }

    /// What the token with this digest gets.
    pub fn judge(&self, presented: &Digest, now: OffsetDateTime) -> Verdict {
        if now >= self.expires_at {
            return Verdict::Over;
        }
        if *presented == self.current {
            return Verdict::Rotate;
        }
        let repeated = self
            .spent
            .iter()
            .any(|spent| spent.digest == *presented && spent.is_in_grace(now));
        if repeated {
            Verdict::Repeat
        } else {
            Verdict::Revoke
        }
    }

    /// The family after its good token was spent for `successor`.
    pub fn rotated(&self, successor: &Digest, holder: Holder, now: OffsetDateTime) -> Self {
        let mut spent = self.spent.clone();
        spent.retain(|spent| spent.is_in_grace(now));
        spent.push(Spent {
            digest: self.current,
            at_ms: milliseconds(now),
        });
        let surplus = spent.len().saturating_sub(SPENT_MAX);
        spent.drain(..surplus);
        Self {
            role: holder.role,
            wallet_id: holder.wallet_id,
            email_verified: holder.email_verified,
            current: *successor,
            spent,
            used_at: now,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn key(byte: u8) -> SessionKey {
        SessionKey::try_from(STANDARD.encode([byte; 32]).as_str()).unwrap()
    }

    fn first() -> RefreshToken {
        RefreshToken::first(Uuid::now_v7(), Uuid::now_v7(), Opaque::from_bytes([7; 32]))
    }

    fn holder() -> Holder {
        Holder {
            role: Role::Customer,
            wallet_id: Uuid::nil(),
            email_verified: false,
            epoch: 1,
        }
    }

    fn rotate(family: &Family, token: &RefreshToken, now: OffsetDateTime) -> Family {
        assert_eq!(family.judge(&token.digest(), now), Verdict::Rotate);
        family.rotated(&token.successor(&key(1)).digest(), holder(), now)
    }

    #[test]
    fn token_is_read_back_from_its_text() {
        let token = first();
        let again = RefreshToken::try_from(token.to_text().as_str()).unwrap();
        assert_eq!(again.to_bytes(), token.to_bytes());
        assert_eq!(token.to_text().len(), 86);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let text = first().to_text();
        for bad in ["", "token", &text[2..], &format!("{text}AA")] {
            assert!(RefreshToken::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn successor_is_always_the_same_and_depends_on_token_and_key() {
        let token = first();
        let successor = token.successor(&key(1));
        assert_eq!(successor.digest(), token.successor(&key(1)).digest());
        assert_ne!(successor.digest(), token.successor(&key(2)).digest());
        assert_ne!(successor.digest(), successor.successor(&key(1)).digest());
        assert_eq!(successor.family_id, token.family_id);
    }

    #[test]
    fn spent_token_is_repeated_within_the_grace_and_revokes_after_it() {
        let token = first();
        let family = rotate(&Family::begin(&token, holder(), START), &token, START);
        let judge = |seconds| family.judge(&token.digest(), START + Duration::seconds(seconds));
        assert_eq!(judge(0), Verdict::Repeat);
        assert_eq!(judge(30), Verdict::Repeat);
        assert_eq!(judge(31), Verdict::Revoke);
    }

    #[test]
    fn each_of_several_tokens_spent_within_the_grace_is_repeated() {
        let token = first();
        let second = token.successor(&key(1));
        let family = rotate(&Family::begin(&token, holder(), START), &token, START);
        let family = rotate(&family, &second, START + Duration::seconds(5));
        for spent in [&token, &second] {
            let verdict = family.judge(&spent.digest(), START + Duration::seconds(10));
            assert_eq!(verdict, Verdict::Repeat);
        }
    }

    #[test]
    fn strange_token_revokes() {
        let token = first();
        let family = Family::begin(&token, holder(), START);
        let strange = token.successor(&key(9)).digest();
        assert_eq!(family.judge(&strange, START), Verdict::Revoke);
    }

    #[test]
    fn family_ends_after_its_lifetime_however_often_it_is_used() {
        let token = first();
        let family = Family::begin(&token, holder(), START);
        let late = START + Duration::days(29);
        let family = rotate(&family, &token, late);
        let successor = token.successor(&key(1)).digest();
        assert_eq!(family.judge(&successor, late), Verdict::Rotate);
        let end = START + Duration::days(30);
        assert_eq!(family.judge(&successor, end), Verdict::Over);
    }

    #[test]
    fn family_is_over_once_the_accounts_sessions_have_ended() {
        let token = first();
        let family = rotate(&Family::begin(&token, holder(), START), &token, START);
        let at = |epoch| family.is_of_the_past(Holder { epoch, ..holder() });
        assert!(!at(1) && at(2));
    }

    #[test]
    fn spent_tokens_do_not_pile_up() {
        let mut token = first();
        let mut family = Family::begin(&token, holder(), START);
        for _ in 0..50 {
            family = rotate(&family, &token, START);
            token = token.successor(&key(1));
        }
        assert_eq!(family.spent.len(), SPENT_MAX);
        let later = rotate(&family, &token, START + Duration::minutes(1));
        assert_eq!(later.spent.len(), 1);
    }
}
