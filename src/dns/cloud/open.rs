//! How each provider's API is opened with its credentials. Nothing is asked of it yet.

use std::time::Duration;

use dns_update::providers::google_cloud_dns::GoogleCloudDnsConfig;
use dns_update::providers::infoblox::InfobloxConfig;
use dns_update::providers::oraclecloud::OracleCloudConfig;
use dns_update::providers::route53::Route53Config;
use dns_update::{DnsUpdater, Error, Result};

use crate::config::{CloudProvider, Credentials};

/// The API of `provider`, each request of which may take as long as `limit`.
#[expect(clippy::too_many_lines, reason = "a table: what there is to say of each provider")]
pub(super) fn open(
    provider: CloudProvider,
    credentials: &Credentials,
    limit: Duration,
) -> Result<DnsUpdater> {
    use CloudProvider as P;
    // Required ones are there: the configuration was read.
    let the = |key: &str| credentials.get(key).unwrap_or_default();
    let maybe = |key: &str| credentials.get(key).map(str::to_owned);
    let limit = Some(limit);
    match provider {
        P::ArvanCloud => DnsUpdater::new_arvancloud(the("api-key"), limit),
        P::AutoDns => {
            let number = |text: String| text.parse().map_err(|_| wrong("context", "a number"));
            let context = maybe("context").map(number).transpose()?;
            DnsUpdater::new_autodns(the("username"), the("password"), context, limit)
        }
        P::Bunny => DnsUpdater::new_bunny(the("api-key"), limit),
        P::Cloudflare => DnsUpdater::new_cloudflare(the("token"), limit),
        P::ClouDns => {
            let (auth, sub) = (maybe("auth-id"), maybe("sub-auth-id"));
            DnsUpdater::new_cloudns(auth, sub, the("password"), limit)
        }
        P::DeSec => DnsUpdater::new_desec(the("token"), limit),
        P::DnSimple => DnsUpdater::new_dnsimple(the("token"), the("account"), limit),
        P::Dynu => DnsUpdater::new_dynu(the("api-key"), limit),
        P::Gandi => DnsUpdater::new_gandiv5(the("token"), limit),
        P::Gcore => DnsUpdater::new_gcore(the("token"), limit),
        P::Google => DnsUpdater::new_google_cloud_dns(GoogleCloudDnsConfig {
            service_account_json: the("service-account").to_owned(),
            project_id: the("project").to_owned(),
            managed_zone: maybe("managed-zone"),
            private_zone: false,
            impersonate_service_account: None,
            request_timeout: limit,
        }),
        P::Hetzner => DnsUpdater::new_hetzner(the("token"), limit),
        P::HostingDe => DnsUpdater::new_hostingde(the("api-key"), limit),
        P::Hostinger => DnsUpdater::new_hostinger(the("token"), limit),
        P::Infoblox => DnsUpdater::new_infoblox(InfobloxConfig {
            host: the("host").to_owned(),
            port: maybe("port"),
            username: the("username").to_owned(),
            password: the("password").to_owned(),
            wapi_version: maybe("wapi-version"),
            dns_view: maybe("dns-view"),
            request_timeout: limit,
        }),
        P::Infomaniak => DnsUpdater::new_infomaniak(the("token"), limit),
        P::Inwx => DnsUpdater::new_inwx(the("username"), the("password"), false, limit),
        P::LuaDns => DnsUpdater::new_luadns(the("username"), the("token"), limit),
        P::MythicBeasts => DnsUpdater::new_mythicbeasts(the("username"), the("password"), limit),
        P::Netcup => {
            DnsUpdater::new_netcup(the("customer"), the("api-key"), the("api-password"), limit)
        }
        P::Ns1 => DnsUpdater::new_ns1(the("api-key"), limit),
        P::OracleCloud => DnsUpdater::new_oraclecloud(OracleCloudConfig {
            tenancy_ocid: the("tenancy").to_owned(),
            user_ocid: the("user").to_owned(),
            fingerprint: the("fingerprint").to_owned(),
            private_key_pem: the("private-key").to_owned(),
            private_key_password: None,
            region: the("region").to_owned(),
            compartment_ocid: the("compartment").to_owned(),
            request_timeout: limit,
        }),
        P::Ovh => {
            let endpoint = the("endpoint").parse()?;
            let (key, secret) = (the("application-key"), the("application-secret"));
            DnsUpdater::new_ovh(key, secret, the("consumer-key"), endpoint, limit)
        }
        P::Porkbun => DnsUpdater::new_porkbun(the("api-key"), the("secret-api-key"), limit),
        P::PowerDns => {
            DnsUpdater::new_pdns(the("api-key"), Some(the("url")), maybe("server"), limit)
        }
        P::Route53 => DnsUpdater::new_route53(Route53Config {
            access_key_id: the("access-key-id").to_owned(),
            secret_access_key: the("secret-access-key").to_owned(),
            session_token: maybe("session-token"),
            region: maybe("region"),
            hosted_zone_id: maybe("hosted-zone"),
            private_zone_only: Some(false),
            endpoint: None,
        }),
        P::Scaleway => DnsUpdater::new_scaleway(the("token"), limit),
        P::SimplyCom => DnsUpdater::new_simplycom(the("account"), the("api-key"), limit),
        P::Spaceship => DnsUpdater::new_spaceship(the("api-key"), the("api-secret"), limit),
        P::TransIp => DnsUpdater::new_transip(the("login"), the("private-key"), true, limit),
        P::UltraDns => {
            DnsUpdater::new_ultradns(the("username"), the("password"), maybe("url"), limit)
        }
        P::ZoneEu => DnsUpdater::new_zoneeu(the("username"), the("api-key"), limit),
    }
}

/// The error that a credential is not what it has to be.
fn wrong(key: &str, expected: &str) -> Error {
    Error::Client(format!("`{key}` is not {expected}"))
}
