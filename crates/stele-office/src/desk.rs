//! One issuer at work: its settings, its state machine, and its places in the status list.

use std::sync::Arc;

use stele_credentials::openid::issuer::Issuer;
use stele_credentials::status::Layout;

use crate::settings::IssuerSettings;

/// Places in one shard of a status list: 65,536, a crowd to hide in and 8 KiB at most.
pub(crate) const SHARD_BITS: u8 = 16;

/// An issuer at work. It is made anew when its settings change.
pub(crate) struct Desk {
    pub name: String,
    pub settings: IssuerSettings,
    pub issuer: Issuer,
    pub layout: Layout,
}

impl Desk {
    pub fn new(
        base: &str,
        name: &str,
        settings: IssuerSettings,
        secret: [u8; 32],
        nonce_secret: [u8; 32],
    ) -> Arc<Self> {
        let identifier = format!("{base}/openid/issuers/{name}");
        let layout = Layout::new(&format!("{identifier}/status"), SHARD_BITS, secret);
        Arc::new(Self {
            name: name.to_owned(),
            issuer: settings.to_issuer(identifier, &format!("{base}/wallet"), nonce_secret),
            settings,
            layout,
        })
    }
}
