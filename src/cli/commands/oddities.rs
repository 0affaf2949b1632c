//! What is unusual about a file that is judged, in words, and who refuses it.

use crate::cli::ui::words::printable;
use crate::format::deposit;
use crate::format::keyshares::Oddity;
use crate::workflow::verify::check::Report;

/// What is said about every file of a rehearsal.
pub(super) const REHEARSAL: &str =
    "this is of a REHEARSAL: nobody has the account that it names. Register nothing, deposit nothing";

/// Everything unusual about a file, one line each.
pub(super) fn oddities(report: &Report) -> Vec<String> {
    let rehearsal = report.is_rehearsal().then(|| REHEARSAL.to_owned()).into_iter();
    let keyshares = report.keyshares_oddities().iter().map(keyshares_oddity);
    rehearsal.chain(keyshares).chain(report.deposit_oddities().iter().map(deposit_oddity)).collect()
}

fn deposit_oddity(oddity: &deposit::Oddity) -> String {
    use deposit::Oddity;
    const LAUNCHPAD: &str = "refused by the launchpad";
    match oddity {
        Oddity::ByteOrderMark => format!("a byte order mark at the start; {LAUNCHPAD}"),
        Oddity::SingleEntry => format!("one deposit at the top level instead of a list; {LAUNCHPAD}"),
        Oddity::AmountAsText => format!("an amount is a string; {LAUNCHPAD}"),
        Oddity::HexPrefix => format!("hexadecimal with 0x; {LAUNCHPAD}"),
        Oddity::UpperCaseHex => "hexadecimal in upper case; no known reader minds".to_owned(),
        Oddity::NoNetworkName => "no network_name; refused by ssv-dkg".to_owned(),
        Oddity::NoCliVersion => format!("no deposit_cli_version; {LAUNCHPAD}"),
        Oddity::OldCliVersion(version) => {
            format!("deposit_cli_version {:?} is below 2.7.0; {LAUNCHPAD} and by ssv-dkg", printable(version))
        }
        Oddity::UnknownField(name) => format!("an unknown field {name:?}; no known reader minds"),
        Oddity::BlsCredentials => {
            "withdrawal credentials of a BLS key (0x00): nothing is paid out before they are changed".to_owned()
        }
        Oddity::MoreThanCounts => {
            "more than 32 ETH with 0x01 credentials: what is above 32 ETH never counts, and is paid back".to_owned()
        }
    }
}

/// What is unusual, and who refuses it.
fn keyshares_oddity(oddity: &Oddity) -> String {
    let readers = refused_by(oddity);
    let readers = match readers.as_slice() {
        [] => "no known reader minds".to_owned(),
        _ => format!("refused by {}", readers.join(", ")),
    };
    let what = match oddity {
        Oddity::ByteOrderMark => "a byte order mark at the start".to_owned(),
        Oddity::NoVersion => "no version".to_owned(),
        Oddity::OtherVersion(version) => format!("version {version:?}"),
        Oddity::NoCreatedAt => "no createdAt".to_owned(),
        Oddity::SingleItem => "one item at the top level, the form before 1.0.7".to_owned(),
        Oddity::OldFieldName => "the payload's field is called `shares`, as before 1.0.1".to_owned(),
        Oddity::NoData => "no `data`".to_owned(),
        Oddity::MissingField(name) => format!("no data.{name}"),
        Oddity::UnknownField(name) => format!("an unknown field {name:?}"),
        Oddity::NonceAsText => "the nonce is a string".to_owned(),
        Oddity::NonceAsFraction => "the nonce is written with a fraction of zero".to_owned(),
        Oddity::OperatorKeyForm => "an operator key in another form than PEM or base64 of it".to_owned(),
        Oddity::SeveralClusters => {
            "the validators have different operators; each set must be registered in a call of its own".to_owned()
        }
        Oddity::IdsAsText => "operator ids are strings".to_owned(),
        Oddity::DataIdsAsText => "operator ids in data are strings".to_owned(),
        Oddity::UpperCaseHex => "hexadecimal in upper case".to_owned(),
        Oddity::NoHexPrefix => "sharesData without 0x".to_owned(),
        Oddity::NoKeyPrefix => "a public key without 0x".to_owned(),
        Oddity::UpperCasePrefix => "hexadecimal that begins with 0X".to_owned(),
        Oddity::WrappingId => {
            return "an operator id from 2147483648 up: ssv-keys and the SSV SDK read it as another number, and JavaScript \
                    rounds from 9007199254740993 up"
                .to_owned();
        }
        Oddity::OperatorsUnsorted => "data.operators is not in ascending order".to_owned(),
        Oddity::OwnerChecksum => "the owner's EIP-55 checksum does not hold".to_owned(),
    };
    format!("{what}; {readers}")
}

/// The readers that are known to refuse an oddity.
fn refused_by(oddity: &Oddity) -> Vec<&'static str> {
    const ALL: [&str; 3] = ["ssv-keys 1.1", "ssv-keys 1.2", "the SSV SDK"];
    match oddity {
        Oddity::ByteOrderMark | Oddity::NoVersion | Oddity::NonceAsText | Oddity::NoData | Oddity::OldFieldName => {
            ALL.to_vec()
        }
        Oddity::MissingField("operators") => vec!["the SSV SDK 0.1 (its check against a list of operators)"],
        Oddity::MissingField(_) => ALL.to_vec(),
        Oddity::IdsAsText | Oddity::SeveralClusters => vec!["the SSV SDK (its check against a list of operators)"],
        Oddity::OperatorKeyForm => ALL.to_vec(),
        Oddity::OtherVersion(version) => {
            let version = version.strip_prefix('v').unwrap_or(version);
            let reads =
                [version.starts_with("1.1."), version.starts_with("1.2."), ["1.1.0", "1.2.0"].contains(&version)];
            ALL.into_iter().zip(reads).filter(|(_, reads)| !reads).map(|(reader, _)| reader).collect()
        }
        Oddity::UpperCasePrefix => vec!["ssv-keys 1.1", "the SSV SDK"],
        Oddity::NoKeyPrefix => vec!["ssv-keys 1.1 (its rules for an item)"],
        _ => Vec::new(),
    }
}
