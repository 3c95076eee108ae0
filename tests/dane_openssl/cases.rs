//! Records for each chain: one question to each judge.

use std::collections::{BTreeMap, BTreeSet};

use rollover::pki::{Certificate, Chain};
use rollover::tlsa::{Parameters, Record, Usage};

use crate::shapes::World;

/// One question to both.
pub(crate) struct Case {
    /// `shape | record`, for people.
    pub(crate) title: String,
    /// What the server sends.
    pub(crate) chain: Chain,
    /// The server's key.
    pub(crate) key: Vec<u8>,
    /// What the client holds.
    pub(crate) records: BTreeSet<Record>,
}

impl Case {
    /// Whether its shape and its record begin so.
    pub(crate) fn is(&self, shape: &str, record: &str) -> bool {
        let (of_shape, of_record) = self.title.split_once(" | ").unwrap();
        of_shape.starts_with(shape) && of_record.starts_with(record)
    }
}

/// Every parameter with every certificate of the shape, and with those it could have sent.
pub(crate) fn cases(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in world.shapes() {
        let chain = Chain::from_der(&shape.chain).unwrap();
        let sent = |index: usize| format!("sent {index}");
        let mut targets: BTreeMap<String, Certificate> = chain
            .certificates()
            .iter()
            .enumerate()
            .map(|(index, certificate)| (sent(index), certificate.clone()))
            .collect();
        for (name, der) in [
            ("the root", &world.root.2),
            ("the other root", &world.other_root.2),
            ("the intermediate", &world.intermediate.2),
        ] {
            let certificate = Certificate::from_der(der).unwrap();
            if !chain.certificates().contains(&certificate) {
                targets.insert(name.to_owned(), certificate);
            }
        }
        for (target, certificate) in &targets {
            for parameters in [
                "3 0 0", "3 0 1", "3 0 2", "3 1 0", "3 1 1", "3 1 2", "2 0 0", "2 0 1", "2 0 2",
                "2 1 0", "2 1 1", "2 1 2",
            ] {
                let parameters_parsed: Parameters = parameters.parse().unwrap();
                let record = Record::from(parameters_parsed.associate(certificate));
                cases.push(Case {
                    title: format!("{} | {parameters} of {target}", shape.name),
                    chain: chain.clone(),
                    key: shape.key.clone(),
                    records: BTreeSet::from([record]),
                });
            }
        }
    }
    cases
}

/// Records that are almost those of a certificate of the shape: data of another length, parameters that
/// mail clients have no use for, and two records of which one is a stranger's.
pub(crate) fn odd_cases(world: &World) -> Vec<Case> {
    let stranger = Certificate::from_der(&world.namesake).unwrap();
    let mut cases = Vec::new();
    for shape in world.arrangements().into_iter().chain(world.oddities()) {
        let chain = Chain::from_der(&shape.chain).unwrap();
        for (index, certificate) in chain.certificates().iter().enumerate() {
            let of = |text: &str, certificate: &Certificate| {
                Record::from(text.parse::<Parameters>().unwrap().associate(certificate))
            };
            let (usual, leaf) = (of("2 1 1", certificate), of("3 1 1", certificate));
            let changed = |change: &dyn Fn(&mut Record)| {
                [&usual, &leaf].map(|record| {
                    let mut record = record.clone();
                    change(&mut record);
                    BTreeSet::from([record])
                })
            };
            let mut odd: Vec<(&str, BTreeSet<Record>)> = Vec::new();
            for (what, change) in [
                ("an octet less", &(|r: &mut Record| r.data.truncate(31)) as &dyn Fn(&mut Record)),
                ("an octet more", &|r| r.data.push(0)),
                ("no data", &|r| r.data.clear()),
                ("another octet", &|r| r.data[0] ^= 1),
                ("as SHA2-512", &|r| r.matching_type = 2),
                ("as a full value", &|r| r.matching_type = 0),
                ("matching type 3", &|r| r.matching_type = 3),
                ("selector 2", &|r| r.selector = 2),
                ("usage 255", &|r| r.usage = 255),
                ("a PKIX usage", &|r| r.usage -= 2),
            ] {
                odd.extend(changed(change).map(|records| (what, records)));
            }
            for parameters in ["2 1 1", "3 1 1", "2 1 2", "3 0 1"] {
                for own in [&usual, &leaf] {
                    let both = [of(parameters, &stranger), own.clone()];
                    odd.push(("beside a stranger's", both.into()));
                }
            }
            cases.extend(odd.into_iter().map(|(what, records)| Case {
                title: format!("{} | {what} of sent {index}: {records:?}", shape.name),
                chain: chain.clone(),
                key: shape.key.clone(),
                records,
            }));
        }
    }
    cases
}

/// Every choice of records of a chain's certificates and of a stranger's.
pub(crate) fn several(world: &World) -> Vec<Case> {
    let full = world.arrangements().remove(0);
    let chain = Chain::from_der(&full.chain).unwrap();
    let stranger = Certificate::from_der(&world.namesake).unwrap();
    let mut pool: Vec<Record> = Vec::new();
    for parameters in ["2 1 1", "2 1 2", "3 1 1", "3 1 2"] {
        let parameters: Parameters = parameters.parse().unwrap();
        let depth = usize::from(parameters.usage == Usage::DaneTa);
        for certificate in [&chain.certificates()[depth], &stranger] {
            pool.push(parameters.associate(certificate).into());
        }
    }
    (1..1_usize << pool.len())
        .map(|subset| {
            let chosen = pool.iter().enumerate();
            let records: BTreeSet<Record> = chosen
                .filter(|(index, _)| subset >> index & 1 == 1)
                .map(|(_, record)| record.clone())
                .collect();
            Case {
                title: format!("full | {records:?}"),
                chain: chain.clone(),
                key: full.key.clone(),
                records,
            }
        })
        .collect()
}
