//! Host states to be kept: any that the model can express, with a few real certificates in them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rollover::pki::{Certificate, Chain, KeyType, Sha256Digest};
use rollover::rollover::history::{Content, History, Service, Unanswered, Version};
use rollover::rollover::observation::Serial;
use rollover::rollover::presentable::Presentable;
use rollover::rollover::served::{Deployment, Presence, Served};
use rollover::rollover::state::{
    Barred, Bundle, BundleCredential, BundleId, Failure, HostState, Issued, IssuerOverride,
    KeyMade, Kind, Revocation, Rollover, Step, Target,
};
use rollover::time::{Moment, Span, Timestamp, Ttl};
use rollover::tlsa::{Record, TlsaOwner, TlsaRrset, Usage};

/// Chains of two CAs, with the CA's certificate and without.
pub(crate) static CHAINS: LazyLock<Vec<Chain>> = LazyLock::new(|| {
    let mut chains = Vec::new();
    for authority in ["House CA", "Other CA"] {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, authority);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        for _ in 0..2 {
            let params = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
            let leaf = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
            chains.push(Chain::from_der(&[leaf.der(), root.der()]).unwrap());
            chains.push(Chain::from_der(&[leaf.der()]).unwrap());
        }
    }
    chains
});

/// Every certificate of those chains.
pub(crate) fn certificates() -> Vec<Certificate> {
    CHAINS.iter().flat_map(|chain| chain.certificates()).cloned().collect()
}

/// Any moment by the wall clock.
fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

/// Any moment.
fn moment() -> impl Strategy<Value = Moment> {
    (timestamp(), any::<u64>(), span()).prop_map(|(wall, boot, uptime)| Moment {
        wall,
        boot,
        uptime,
    })
}

/// Any span that is not longer than the world will last.
fn span() -> impl Strategy<Value = Span> {
    (0..=i64::MAX.cast_unsigned()).prop_map(Span::from_millis)
}

/// Any TTL.
fn ttl() -> impl Strategy<Value = Ttl> {
    any::<u32>().prop_map(Ttl::from_seconds)
}

/// One of a few owners, that of the root among them.
fn owner() -> impl Strategy<Value = TlsaOwner> {
    (select(vec![".", "mail.example.nl", "mx2.example.nl"]), any::<u16>())
        .prop_map(|(base, port)| TlsaOwner::new(base.parse().unwrap(), port).unwrap())
}

/// Any record, of use or not.
fn record() -> impl Strategy<Value = Record> {
    (any::<u8>(), any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..70)).prop_map(
        |(usage, selector, matching_type, data)| Record { usage, selector, matching_type, data },
    )
}

/// Any version.
fn version() -> impl Strategy<Value = Version> {
    let ids = || CHAINS.iter().map(Chain::id).collect::<Vec<_>>();
    let content = prop_oneof![
        (btree_set(record(), 0..5), ttl())
            .prop_map(|(r, ttl)| Content::Rrset(TlsaRrset::new(r, ttl))),
        (btree_set(select(ids()), 0..4), ttl())
            .prop_map(|(fits, ttl)| Content::Unknown { ttl, fits }),
    ];
    let service = prop_oneof![
        (moment(), span()).prop_map(|(at, longest_delay)| Service::Sent { at, longest_delay }),
        moment().prop_map(|since| Service::Ongoing { since }),
        moment().prop_map(|at| Service::Ended { at }),
    ];
    let serial = option::of(any::<u32>().prop_map(Serial));
    let update = (option::of(btree_set(record(), 0..3)), moment(), span())
        .prop_map(|(expects, sent, longest_delay)| Unanswered { expects, sent, longest_delay });
    (content, service, serial, any::<bool>(), vec(update, 0..3)).prop_map(
        |(content, service, serial, is_coming, unanswered)| Version {
            content,
            service,
            serial,
            is_coming,
            unanswered,
        },
    )
}

/// Any versions of any owners' RRsets; also of an owner that could not be looked at yet.
fn histories() -> impl Strategy<Value = BTreeMap<TlsaOwner, History>> {
    let history = vec(version(), 0..4).prop_map(|versions| History { versions });
    btree_map(owner(), history, 0..3)
}

/// The public half of some key.
fn key_made() -> impl Strategy<Value = KeyMade> {
    let spkis: Vec<_> = certificates().iter().map(|c| c.spki().to_vec()).collect();
    (select(spkis), timestamp()).prop_map(|(spki, at)| KeyMade { spki, at })
}

/// A chain that was issued.
fn issued() -> impl Strategy<Value = Issued> {
    (select(CHAINS.clone()), option::of(select(certificates())))
        .prop_map(|(chain, anchor)| Issued { chain, anchor })
}

/// Bundles, some of them still on order.
fn bundles() -> impl Strategy<Value = BTreeMap<BundleId, Bundle>> {
    let credential = (key_made(), option::of(issued()))
        .prop_map(|(key, issued)| BundleCredential { key, issued });
    let credentials = btree_map(select(KeyType::ALL.to_vec()), credential, 0..3);
    let bundle = (".*", timestamp(), credentials)
        .prop_map(|(issuer, created, credentials)| Bundle { issuer, created, credentials });
    let id = (0..=i64::MAX.cast_unsigned()).prop_map(BundleId);
    btree_map(id, bundle, 0..4)
}

/// One of the bundles, if there is any.
fn one_of(bundles: &BTreeMap<BundleId, Bundle>, index: Index) -> Option<BundleId> {
    (!bundles.is_empty()).then(|| *index.get(&bundles.keys().copied().collect::<Vec<_>>()))
}

/// What may be presented, but for the bundle that was deployed.
fn served() -> impl Strategy<Value = Served> {
    let count = CHAINS.len();
    let presences = (subsequence(CHAINS.clone(), 0..=count), vec(option::of(moment()), count))
        .prop_shuffle_first()
        .prop_map(|(chains, ends)| {
            let pairs = chains.into_iter().zip(ends);
            pairs
                .map(|(chain, ended)| Presence { chain: Presentable::Issued(chain), ended })
                .collect()
        });
    let ids: Vec<_> = CHAINS.iter().map(Chain::id).collect();
    let deployment = (btree_set(select(ids), 0..3), moment(), option::of(moment()), any::<bool>())
        .prop_map(|(chains, begun, done, shown)| Deployment {
            bundle: BundleId(0),
            chains,
            begun,
            done,
            shown,
        });
    (presences, option::of(deployment))
        .prop_map(|(presences, deployment)| Served { presences, deployment })
}

/// Strategies for pairs of which the first is to be in any order.
trait ShuffleFirst<A, B>: Strategy<Value = (Vec<A>, B)> + Sized {
    /// The same pairs, their first in any order.
    fn prop_shuffle_first(self) -> impl Strategy<Value = (Vec<A>, B)>
    where
        A: Clone + std::fmt::Debug + 'static,
        B: Clone + std::fmt::Debug + 'static,
    {
        self.prop_flat_map(|(first, second)| (Just(first).prop_shuffle(), Just(second)))
    }
}

impl<A, B, S: Strategy<Value = (Vec<A>, B)>> ShuffleFirst<A, B> for S {}

/// How steps failed.
fn failures() -> impl Strategy<Value = BTreeMap<Step, Failure>> {
    let counts = (any::<u32>(), any::<u32>());
    let failure = (counts, moment(), timestamp(), ".*", ".*", any::<bool>()).prop_map(
        |((count, by_issuer), at, not_before, message, hint, needs_operator)| Failure {
            count,
            by_issuer,
            at,
            not_before,
            message,
            hint,
            needs_operator,
        },
    );
    btree_map(select(Step::ALL.to_vec()), failure, 0..4)
}

/// A rollover in flight, but for the bundles that it is about.
fn rollover() -> impl Strategy<Value = Rollover> {
    (select(Kind::ALL.to_vec()), timestamp(), any::<bool>()).prop_map(
        |(kind, started, took_standby)| Rollover {
            kind,
            started,
            target: Target::NoRecords,
            from: None,
            took_standby,
        },
    )
}

/// What is barred and to be revoked.
fn distrusted() -> impl Strategy<Value = (Vec<Barred>, Vec<Revocation>)> {
    let usage = select(vec![Usage::DaneTa, Usage::DaneEe]);
    let barred = (usage, select(certificates()))
        .prop_map(|(usage, certificate)| Barred { usage, certificate });
    let revocation =
        (".*", select(CHAINS.clone())).prop_map(|(issuer, chain)| Revocation { issuer, chain });
    (vec(barred, 0..3), vec(revocation, 0..3))
}

/// Any state of a host that the model can express.
pub(crate) fn state() -> impl Strategy<Value = HostState> {
    let standby = btree_map(select(KeyType::ALL.to_vec()), key_made(), 0..3);
    let plans = (option::of(rollover()), standby, distrusted(), failures());
    let other = (".*", ".*", option::of(".*"))
        .prop_map(|(issuer, instead_of, after)| IssuerOverride { issuer, instead_of, after });
    let marks = (any::<bool>(), option::of(other), 0..=i64::MAX.cast_unsigned());
    let picks = vec(option::of(any::<Index>()), 4);
    (histories(), served(), bundles(), plans, marks, picks).prop_map(
        |(histories, mut served, bundles, plans, marks, picks)| {
            let pick = |position: usize| picks[position].and_then(|index| one_of(&bundles, index));
            let (mut rollover, standby, (barred, to_revoke), failures) = plans;
            if let Some(rollover) = &mut rollover {
                rollover.target = pick(0).map_or(Target::NoRecords, Target::Bundle);
                rollover.from = pick(1);
            }
            served.deployment = served
                .deployment
                .and_then(|deployment| Some(Deployment { bundle: pick(2)?, ..deployment }));
            let current = pick(3);
            let (withdrawn, issuer_override, next_bundle) = marks;
            HostState {
                histories,
                served,
                bundles,
                current,
                rollover,
                standby,
                barred,
                withdrawn,
                issuer_override,
                failures,
                to_revoke,
                next_bundle,
            }
        },
    )
}

/// A state with one bundle that is in service: `chain`, for its own key.
pub(crate) fn in_service(chain: &Chain) -> HostState {
    let at = Moment { wall: Timestamp::from_seconds(1), boot: 1, uptime: Span::ZERO };
    let key = KeyMade { spki: chain.leaf().spki().to_vec(), at: at.wall };
    let issued =
        Some(Issued { chain: chain.clone(), anchor: chain.authorities().first().cloned() });
    let credentials = [(KeyType::EcdsaP256, BundleCredential { key, issued })].into();
    let bundle = Bundle { issuer: "house".to_owned(), created: at.wall, credentials };
    let chains = vec![Presentable::Issued(chain.clone())];
    let mut state =
        HostState { current: Some(BundleId(0)), next_bundle: 1, ..HostState::default() };
    state.bundles.insert(BundleId(0), bundle);
    state.served.intend(BundleId(0), chains, at);
    state
}

/// The name of the file that keeps a certificate's private key, without its directory.
pub(crate) fn key_stem(chain: &Chain) -> Sha256Digest {
    chain.leaf().spki_sha256()
}
