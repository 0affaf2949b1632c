//! `dvkey tx operator-…`: what an operator's owner sends.

use alloy_sol_types::SolValue;

use super::{address, amount, operator_id, operator_ids, read, single};
use crate::cli::args::tx::{AssetName, FeeCommand, PayloadArguments, Privacy, TxCommand, WhitelistCommand};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::format::contract::call::{Asset, Call, OperatorAction, OperatorsAction};
use crate::format::operator_key_text::{OperatorKeyText, canonical_text};

/// No public key is longer in any form.
const MAX_KEY: u64 = 64 << 10;

pub(super) fn run(command: &TxCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        TxCommand::OperatorRegister { public_key, fee, private, payload } => {
            let bytes = read(public_key, MAX_KEY)?;
            let unusable = |why: String| Failure::new(Code::OperatorsKey, format!("{}: {why}", public_key.display()));
            let text = std::str::from_utf8(&bytes).map_err(|_| unusable("no text".to_owned()))?;
            let key = OperatorKeyText::parse(text.trim()).map_err(|error| unusable(error.to_string()))?;
            // On chain the key is the ABI encoding of one string: the base64 of the PEM text.
            let public_key = canonical_text(&key.key).abi_encode();
            let call = Call::RegisterOperator { public_key, fee: amount("--fee", fee)?, private: *private };
            let next = "the id of the operator stands in the receipt, in the event OperatorAdded".to_owned();
            single("operator-register", call, payload, vec![next], printer)
        }
        TxCommand::OperatorRemove { id, payload } => {
            let next = "an operator that was removed never comes back; its clusters go on without it".to_owned();
            one("operator-remove", id, OperatorAction::Remove, payload, vec![next], printer)
        }
        TxCommand::OperatorFee(fee) => match fee {
            FeeCommand::Declare(declare) => {
                let action = OperatorAction::DeclareFee(amount("--fee", &declare.fee)?);
                let next = "it takes effect only when it is executed, after the waiting time of the network".to_owned();
                one("operator-fee-declare", &declare.id, action, &declare.payload, vec![next], printer)
            }
            FeeCommand::Execute(execute) => {
                let action = OperatorAction::ExecuteFee;
                one("operator-fee-execute", &execute.id, action, &execute.payload, Vec::new(), printer)
            }
            FeeCommand::Cancel(cancel) => {
                let action = OperatorAction::CancelFee;
                one("operator-fee-cancel", &cancel.id, action, &cancel.payload, Vec::new(), printer)
            }
            FeeCommand::Reduce(reduce) => {
                let action = OperatorAction::ReduceFee(amount("--fee", &reduce.fee)?);
                one("operator-fee-reduce", &reduce.id, action, &reduce.payload, Vec::new(), printer)
            }
        },
        TxCommand::OperatorWhitelist(whitelist) => match whitelist {
            WhitelistCommand::Add(add) => {
                let action = OperatorsAction::Whitelist(addresses(&add.addresses)?);
                several("operator-whitelist-add", &add.ids, action, &add.payload, printer)
            }
            WhitelistCommand::Remove(remove) => {
                let action = OperatorsAction::Unwhitelist(addresses(&remove.addresses)?);
                several("operator-whitelist-remove", &remove.ids, action, &remove.payload, printer)
            }
            WhitelistCommand::SetContract { ids, contract, payload } => {
                let action = OperatorsAction::SetWhitelistingContract(address("--contract", contract)?);
                several("operator-whitelist-set-contract", ids, action, payload, printer)
            }
            WhitelistCommand::RemoveContract { ids, payload } => {
                let action = OperatorsAction::RemoveWhitelistingContract;
                several("operator-whitelist-remove-contract", ids, action, payload, printer)
            }
        },
        TxCommand::OperatorPrivacy { to, ids, payload } => {
            let action = match to {
                Privacy::Private => OperatorsAction::MakePrivate,
                Privacy::Public => OperatorsAction::MakePublic,
            };
            several("operator-privacy", ids, action, payload, printer)
        }
        TxCommand::OperatorWithdraw { id, amount: wanted, asset, payload, .. } => {
            let action = match (wanted, asset) {
                (None, AssetName::Eth) => OperatorAction::WithdrawAll(Asset::Eth),
                (None, AssetName::Ssv) => OperatorAction::WithdrawAll(Asset::Ssv),
                (None, AssetName::Both) => OperatorAction::WithdrawEverything,
                (Some(text), AssetName::Eth) => OperatorAction::Withdraw(Asset::Eth, amount("--amount", text)?),
                (Some(text), AssetName::Ssv) => OperatorAction::Withdraw(Asset::Ssv, ssv(text)?),
                (Some(_), AssetName::Both) => {
                    return Err(Failure::new(Code::TxAmount, "--asset both goes with --all only"));
                }
            };
            one("operator-withdraw", id, action, payload, Vec::new(), printer)
        }
        _ => Err(Failure::bug()),
    }
}

/// An amount of the token, which has as many decimal places as ether: `1.5ssv`, or plain units of 10^-18.
fn ssv(text: &str) -> Result<crate::format::amount::Wei, Failure> {
    match text.to_ascii_lowercase().strip_suffix("ssv") {
        Some(number) => amount("--amount", &format!("{}ether", number.trim_end())),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => amount("--amount", text),
        None => Err(Failure::new(Code::TxAmount, "--amount: with --asset ssv an amount is written as 1.5ssv")),
    }
}

fn one(
    name: &str,
    id: &str,
    action: OperatorAction,
    payload: &PayloadArguments,
    next: Vec<String>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    single(name, Call::Operator { id: operator_id(id)?.get(), action }, payload, next, printer)
}

fn several(
    name: &str,
    ids: &[String],
    action: OperatorsAction,
    payload: &PayloadArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    // 12,34 and 12 34 are both written.
    let ids: Vec<String> = ids.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
    let ids = super::numbers(&operator_ids(&ids)?);
    single(name, Call::Operators { ids, action }, payload, Vec::new(), printer)
}

fn addresses(texts: &[String]) -> Result<Vec<dvkey_ceremony::Address>, Failure> {
    let addresses: Vec<_> = texts.iter().map(|text| address("--addresses", text.trim())).collect::<Result<_, _>>()?;
    for (position, one) in addresses.iter().enumerate() {
        if addresses.iter().skip(position + 1).any(|other| other == one) {
            return Err(Failure::new(Code::TxAddress, format!("--addresses: {one} stands twice")));
        }
    }
    Ok(addresses)
}
