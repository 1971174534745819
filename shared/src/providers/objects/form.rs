//! Forms that browsers upload with, signed as "POST policies" (Signature Version 4).
//!
//! A presigned PUT cannot bound the size; a policy can, and the bucket holds it:
//! docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::resilience::policies::UPLOAD_TIMEOUT;

/// A form to send as `multipart/form-data`: these fields, then the picture as `file`.
#[derive(Debug, Clone)]
pub struct UploadForm {
    /// Where to.
    pub url: String,
    /// What to send before the file.
    pub fields: BTreeMap<String, String>,
    /// Until when the bucket takes it.
    pub expires_at: OffsetDateTime,
}

/// What the bucket holds an upload to.
pub(super) struct Conditions<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) content_type: &'a str,
    pub(super) byte_size: i64,
}

/// Who signs.
pub(super) struct Signer<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a str,
    pub(super) session_token: Option<&'a str>,
    pub(super) region: &'a str,
}

impl Signer<'_> {
    pub(super) fn sign(
        &self,
        url: String,
        conditions: &Conditions<'_>,
        now: OffsetDateTime,
    ) -> UploadForm {
        let date = now
            .format(format_description!("[year][month][day]"))
            .unwrap_or_default();
        let time = now
            .format(format_description!("[hour][minute][second]"))
            .unwrap_or_default();
        let expires_at = now + UPLOAD_TIMEOUT;
        let scope = format!("{}/{date}/{}/s3/aws4_request", self.access_key, self.region);
        let mut fields = BTreeMap::from([
            ("key", conditions.key.to_owned()),
            ("Content-Type", conditions.content_type.to_owned()),
            ("success_action_status", "201".to_owned()),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", scope),
            ("x-amz-date", format!("{date}T{time}Z")),
        ]);
        if let Some(token) = self.session_token {
            fields.insert("x-amz-security-token", token.to_owned());
        }
        let policy = STANDARD.encode(policy(conditions, &fields, expires_at).to_string());
        let signature = self.signature(&date, &policy);
        fields.extend([("policy", policy), ("x-amz-signature", signature)]);
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        UploadForm {
            url,
            fields,
            expires_at,
        }
    }

    /// docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    fn signature(&self, date: &str, policy: &str) -> String {
        let key = format!("AWS4{}", self.secret_key).into_bytes();
        let steps = [date, self.region, "s3", "aws4_request", policy];
        let signature = steps.iter().fold(key, |key, step| keyed_hash(&key, step));
        signature.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn policy(
    conditions: &Conditions<'_>,
    fields: &BTreeMap<&str, String>,
    expires_at: OffsetDateTime,
) -> Value {
    let size = conditions.byte_size;
    let mut list = vec![
        json!({"bucket": conditions.bucket}),
        json!(["content-length-range", size, size]),
    ];
    list.extend(fields.iter().map(|(name, value)| json!({*name: value})));
    // Whole seconds: the emulator and S3 both take them.
    let expiration = expires_at
        .replace_nanosecond(0)
        .unwrap_or(expires_at)
        .format(&Rfc3339);
    json!({"expiration": expiration.unwrap_or_default(), "conditions": list})
}

fn keyed_hash(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn signer() -> Signer<'static> {
        Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            session_token: Some("token"),
            region: "us-east-1",
        }
    }

    /// The policy and signature that Amazon publishes as an example:
    /// docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html
    #[test]
    fn signature_is_the_one_of_the_example() {
        let policy = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
        let signature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
        assert_eq!(signer().signature("20151229", policy), signature);
    }

    #[test]
    fn every_field_and_the_exact_size_are_conditions() {
        let conditions = Conditions {
            bucket: "media",
            key: "uploads/1",
            content_type: "image/png",
            byte_size: 7,
        };
        let form = signer().sign(
            "https://x".into(),
            &conditions,
            datetime!(2026-01-02 3:04:05 UTC),
        );
        assert_eq!(form.expires_at, datetime!(2026-01-02 3:19:05 UTC));
        let policy = STANDARD.decode(&form.fields["policy"]).unwrap();
        let policy: Value = serde_json::from_slice(&policy).unwrap();
        let held = policy["conditions"].as_array().unwrap();
        assert_eq!(policy["expiration"], "2026-01-02T03:19:05Z");
        assert!(held.contains(&json!(["content-length-range", 7, 7])));
        assert_eq!(form.fields["x-amz-date"], "20260102T030405Z");
        let signing = ["policy", "x-amz-signature"];
        for (name, value) in form
            .fields
            .iter()
            .filter(|(name, _)| !signing.contains(&name.as_str()))
        {
            assert!(held.contains(&json!({name: value})), "{name}");
        }
    }
}
