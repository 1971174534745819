//! The second factor: codes that a device shows for half a minute (RFC 6238), and
//! codes on paper for whoever loses the device.

use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use super::accounts::AccountError;
use super::secrets::{Digest, NoRandomness, random};

/// How long a device shows one code, in seconds.
const STEP_SECONDS: i64 = 30;

/// Codes before and after the present one that are good as well: clocks differ.
const STEPS_APART_MAX: i64 = 1;

/// Recovery codes that are given out with a secret.
pub const RECOVERY_CODES: usize = 10;

/// How long somebody who showed a second factor may do what needs one.
pub const STEP_UP_LIFETIME: Duration = Duration::minutes(15);

/// Wrong codes in a row that cost nothing.
const FREE_FAILURES: i32 = 5;

/// The longest pause after a wrong code: four guesses an hour at a million codes.
const PAUSE_MAX: Duration = Duration::minutes(15);

/// What device and shop make the same codes of: 160 bits. Masked in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret([u8; 20]);

impl TotpSecret {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// The one with these bytes; none for another number than 20.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// As devices take it: base32, 32 characters.
    pub fn to_text(&self) -> String {
        base32(&self.0)
    }

    /// Reads what [`TotpSecret::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::from_bytes(&from_base32(text)?)
    }

    /// As a QR code holds it.
    pub fn url(&self, shop: &str, account: &str) -> String {
        let (shop, account) = (percent_encoded(shop), percent_encoded(account));
        let secret = self.to_text();
        format!("otpauth://totp/{shop}:{account}?secret={secret}&issuer={shop}")
    }

    /// The six digits that are shown at `now`.
    pub fn code(&self, now: OffsetDateTime) -> String {
        self.code_of(step(now))
    }

    fn code_of(&self, step: i64) -> String {
        let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let mac = sign(&key, &step.to_be_bytes());
        let mac = mac.as_ref();
        // RFC 4226, section 5.3.
        let offset = usize::from(mac[mac.len() - 1] & 0xf);
        let mut word = [0; 4];
        word.copy_from_slice(&mac[offset..offset + 4]);
        let number = (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000;
        format!("{number:06}")
    }

    /// Judges six digits that were given at `now`, when the codes of `used` had been taken.
    pub fn judge(&self, digits: &str, now: OffsetDateTime, used: &[i64]) -> Verdict {
        let present = step(now);
        let matching = (present - STEPS_APART_MAX..=present + STEPS_APART_MAX)
            .filter(|step| {
                self.code_of(*step)
                    .as_bytes()
                    .ct_eq(digits.as_bytes())
                    .into()
            })
            .collect::<Vec<_>>();
        match matching.iter().find(|step| !used.contains(step)) {
            Some(step) => Verdict::Good(*step),
            None if matching.is_empty() => Verdict::Wrong,
            None => Verdict::Repeated,
        }
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

/// What six digits are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are the code of this time step, taken for the first time.
    Good(i64),
    /// They were good, and were taken before. Nobody guessed.
    Repeated,
    /// They are no code of these minutes.
    Wrong,
}

/// The time steps to remember as used after `step` was: those whose codes could come again.
pub fn used_with(used: &[i64], step: i64) -> Vec<i64> {
    let again = |old: &i64| *old >= step - 2 * STEPS_APART_MAX;
    used.iter().copied().filter(again).chain([step]).collect()
}

fn step(now: OffsetDateTime) -> i64 {
    now.unix_timestamp().div_euclid(STEP_SECONDS)
}

/// How long a code is not looked at after `failures` wrong ones in a row, the last
/// one at `failed_at`; `None` when it is.
pub fn pause(failures: i32, failed_at: OffsetDateTime, now: OffsetDateTime) -> Option<Duration> {
    let beyond = u32::try_from(failures - FREE_FAILURES).ok()?;
    let pause = Duration::seconds(STEP_SECONDS) * 2_i32.saturating_pow(beyond.min(10));
    let left = failed_at + pause.min(PAUSE_MAX) - now;
    left.is_positive().then_some(left)
}

/// A code on paper, good once: 80 bits. Masked in `Debug`.
#[derive(Clone)]
pub struct RecoveryCode([u8; 10]);

impl RecoveryCode {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// As it is written down: four times four characters of base32.
    pub fn to_text(&self) -> String {
        let text = base32(&self.0);
        let groups = [&text[..4], &text[4..8], &text[8..12], &text[12..]];
        groups.join("-")
    }

    /// What is stored of it.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// What somebody types as their second factor.
#[derive(Debug, Clone)]
pub enum Code {
    /// Six digits off a device.
    Digits(String),
    /// One of the codes on paper.
    Recovery(RecoveryCode),
}

impl TryFrom<&str> for Code {
    type Error = AccountError;

    /// Blanks, hyphens and small letters are as people type them.
    fn try_from(text: &str) -> Result<Self, AccountError> {
        let blank = |c: &char| c.is_whitespace() || *c == '-';
        let text: String = text.chars().filter(|c| !blank(c)).collect();
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Digits(text));
        }
        let bytes = from_base32(&text.to_ascii_uppercase());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        let code = bytes.map(|bytes| Self::Recovery(RecoveryCode(bytes)));
        code.ok_or(AccountError::Code)
    }
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// RFC 4648, for whole groups of five bytes.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks_exact(5) {
        let mut word = [0; 8];
        word[3..].copy_from_slice(group);
        let word = u64::from_be_bytes(word);
        let letters = (0..8).rev().map(|place| (word >> (5 * place)) & 0x1f);
        text.extend(letters.map(|letter| char::from(ALPHABET[letter as usize])));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let letters = text.as_bytes().chunks_exact(8);
    if !letters.remainder().is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for group in letters {
        let mut word = 0_u64;
        for letter in group {
            let value = ALPHABET.iter().position(|known| known == letter)?;
            word = word << 5 | value as u64;
        }
        bytes.extend_from_slice(&word.to_be_bytes()[3..]);
    }
    Some(bytes)
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B.
    fn secret() -> TotpSecret {
        TotpSecret(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret().code(at(seconds)), code, "{seconds}");
        }
    }

    #[test]
    fn secret_is_read_back_from_its_text() {
        assert_eq!(secret().to_text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(TotpSecret::from_text(&secret().to_text()), Some(secret()));
        for bad in ["", "GEZDGNBV", "gezdgnbvgy3tqojqgezdgnbvgy3tqojq", "1"] {
            assert_eq!(TotpSecret::from_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn url_names_shop_and_account() {
        assert_eq!(
            secret().url("My Shop", "ada@example.com"),
            "otpauth://totp/My%20Shop:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=My%20Shop"
        );
    }

    #[test]
    fn code_of_the_step_before_and_after_is_good_and_no_other() {
        let now = at(1_000_000_015);
        let judge = |seconds| {
            let code = secret().code(now + Duration::seconds(seconds));
            secret().judge(&code, now, &[])
        };
        let present = step(now);
        assert_eq!(judge(0), Verdict::Good(present));
        assert_eq!(judge(-30), Verdict::Good(present - 1));
        assert_eq!(judge(30), Verdict::Good(present + 1));
        assert_eq!([judge(-60), judge(60)], [Verdict::Wrong; 2]);
        for bad in ["", "00000", "0000000"] {
            assert_eq!(secret().judge(bad, now, &[]), Verdict::Wrong, "{bad}");
        }
    }

    #[test]
    fn code_is_good_once() {
        let now = at(1_000_000_020);
        let code = secret().code(now);
        let Verdict::Good(step) = secret().judge(&code, now, &[]) else {
            panic!("the code is not good");
        };
        let mut used = used_with(&[], step);
        for seconds in [0, 15, 30, 44] {
            let later = now + Duration::seconds(seconds);
            let verdict = secret().judge(&code, later, &used);
            assert_eq!(verdict, Verdict::Repeated, "{seconds}");
        }
        for next in 1..100 {
            used = used_with(&used, step + next);
        }
        assert_eq!(used, [step + 97, step + 98, step + 99]);
    }

    #[test]
    fn wrong_codes_are_free_at_first_and_then_wait_longer_each_time() {
        let now = at(1_000_000_000);
        let wait = |failures| pause(failures, now, now).map(Duration::whole_seconds);
        assert_eq!([wait(0), wait(4)], [None; 2]);
        assert_eq!([wait(5), wait(6), wait(9)], [Some(30), Some(60), Some(480)]);
        assert_eq!([wait(10), wait(1_000)], [Some(900); 2]);
        assert_eq!(pause(5, now, now + Duration::seconds(30)), None);
    }

    #[test]
    fn code_is_taken_as_people_type_it() {
        for digits in ["123456", " 123 456 ", "123-456"] {
            let code = Code::try_from(digits).unwrap();
            assert!(matches!(code, Code::Digits(code) if code == "123456"));
        }
        let paper = RecoveryCode::generate().unwrap();
        let typed = paper.to_text().to_lowercase().replace('-', " ");
        let Ok(Code::Recovery(code)) = Code::try_from(typed.as_str()) else {
            panic!("{typed} is no code");
        };
        assert_eq!(code.digest(), paper.digest());
        for bad in [
            "",
            "12345",
            "1234567",
            "ABCD-EFGH",
            "ABCD-EFGH-IJKL-MNO1",
            "१२३४५६",
        ] {
            assert!(Code::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?} {:?}", secret(), RecoveryCode([65; 10]));
        assert_eq!(shown, "TotpSecret(…) RecoveryCode(…)");
    }
}
