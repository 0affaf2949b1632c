//! Every error code, and the page that explains it.

use super::exit::Exit;

macro_rules! codes {
    ($($name:ident = $text:literal, $exit:ident;)*) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code { $($name,)* }

        impl Code {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it is shown.
            pub(crate) fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The exit code that goes with it.
            pub(crate) fn exit(self) -> Exit {
                match self { $(Self::$name => Exit::$exit,)* }
            }
        }
    };
}

codes! {
    KeystoreUnreadable = "keystore.unreadable", Refused;
    KeystoreBroken = "keystore.broken", Refused;
    KeystoreKdf = "keystore.kdf", Refused;
    KeystoreAccountWallet = "keystore.account-wallet", Refused;
    KeystoreOtherKind = "keystore.other-kind", Refused;
    KeystoreNone = "keystore.none", Refused;
    KeystoreSameValidator = "keystore.same-validator", Refused;
    KeystoreWrongPassword = "keystore.wrong-password", Refused;
    KeystoreSecret = "keystore.secret", Refused;
    KeystorePublicKey = "keystore.public-key", Refused;
    KeystoreMemory = "keystore.memory", Refused;
    KeystoreSeveral = "keystore.several", Refused;
    PasswordMissing = "password.missing", Refused;
    PasswordSource = "password.source", Refused;
    PasswordCommand = "password.command", Refused;
    PasswordEncoding = "password.encoding", Refused;
    OperatorsUnreadable = "operators.unreadable", Refused;
    OperatorsBroken = "operators.broken", Refused;
    OperatorsId = "operators.id", Refused;
    OperatorsDuplicate = "operators.duplicate", Refused;
    OperatorsNotInList = "operators.not-in-list", Refused;
    OperatorsKey = "operators.key", Refused;
    OperatorsSharedKey = "operators.shared-key", Refused;
    OperatorsSize = "operators.size", Refused;
    OwnerForm = "owner.form", Refused;
    OwnerChecksum = "owner.checksum", Refused;
    OwnerZero = "owner.zero", Refused;
    NonceForm = "nonce.form", Refused;
    NonceTooLarge = "nonce.too-large", Refused;
    InputMissing = "input.missing", Refused;
    ConfirmDiffers = "confirm.differs", Refused;
    OutputExists = "output.exists", Refused;
    OutputInUse = "output.in-use", Refused;
    OutputParent = "output.parent", Refused;
    OutputPermission = "output.permission", Environment;
    OutputReadOnly = "output.read-only", Environment;
    OutputNoSpace = "output.no-space", Environment;
    OutputFailed = "output.failed", Environment;
    VerifyNotValid = "verify.not-valid", No;
    VerifyCannotJudge = "verify.cannot-judge", Refused;
    DepositAddress = "deposit.address", Refused;
    DepositAmount = "deposit.amount", Refused;
    DepositContradiction = "deposit.contradiction", Refused;
    OpenKey = "open.key", Refused;
    OpenMismatch = "open.mismatch", No;
    OpenNotMine = "open.not-mine", Refused;
    RecoverValidator = "recover.validator", Refused;
    RecoverShares = "recover.shares", Refused;
    RecoverMismatch = "recover.mismatch", Refused;
    RecoverPassword = "recover.password", Refused;
    TxNetwork = "tx.network", Refused;
    TxAmount = "tx.amount", Refused;
    TxAddress = "tx.address", Refused;
    TxValidators = "tx.validators", Refused;
    TxOperators = "tx.operators", Refused;
    TxSnapshot = "tx.snapshot", Refused;
    TxState = "tx.state", Refused;
    TxBalance = "tx.balance", Refused;
    TxNonce = "tx.nonce", Refused;
    TxGas = "tx.gas", Refused;
    TxForm = "tx.form", Refused;
    TxReceipt = "tx.receipt", Refused;
    TxFailed = "tx.failed", Refused;
    TxUnknown = "tx.unknown", Refused;
    TxChecksum = "tx.checksum", No;
    TxBatch = "tx.batch", Refused;
    BatchManifest = "batch.manifest", Refused;
    BatchPlan = "batch.plan", Refused;
    BatchInputsChanged = "batch.inputs-changed", Refused;
    BatchOtherPlan = "batch.other-plan", Refused;
    BatchOtherShards = "batch.other-shards", Refused;
    BatchNoWork = "batch.no-work", Refused;
    BatchTwoResults = "batch.two-results", Refused;
    BatchNextNonce = "batch.next-nonce", Refused;
    BatchNonceClash = "batch.nonce-clash", Refused;
    BatchSuperseded = "batch.superseded", Refused;
    BatchShardMissing = "batch.shard-missing", Refused;
    BatchJournal = "batch.journal", Refused;
    BatchRecipe = "batch.recipe", Refused;
    BatchRefused = "batch.refused", Refused;
    BatchUnfinished = "batch.unfinished", Unfinished;
    CeremonyFolder = "ceremony.folder", Refused;
    CeremonyVault = "ceremony.vault", Refused;
    CeremonyWords = "ceremony.words", Refused;
    CeremonyPlan = "ceremony.plan", Refused;
    CeremonyFile = "ceremony.file", Refused;
    CeremonyOperator = "ceremony.operator", Refused;
    CeremonyWaiting = "ceremony.waiting", Unfinished;
    CeremonyFault = "ceremony.fault", Participant;
    CeremonyUndecided = "ceremony.undecided", Refused;
    CeremonyCertifiedBefore = "ceremony.certified-before", Refused;
    CeremonyNotValid = "ceremony.not-valid", No;
    CeremonyRehearsal = "ceremony.rehearsal", Refused;
    FileUnreadable = "file.unreadable", Refused;
    ExplainUnknown = "explain.unknown", Refused;
    MachineRandomness = "machine.randomness", Environment;
    MachineOffline = "machine.offline", Environment;
    MachineKdf = "machine.kdf", Refused;
    MachineSignals = "machine.signals", Environment;
    InternalSelfCheck = "internal.self-check", Bug;
    InternalBug = "internal.bug", Bug;
}

/// The pages, one file for each family of codes, one section for each code.
const PAGES: &[(&str, &str)] = &[
    ("keystore", include_str!("explain/keystore.md")),
    ("password", include_str!("explain/password.md")),
    ("operators", include_str!("explain/operators.md")),
    ("owner", include_str!("explain/owner.md")),
    ("nonce", include_str!("explain/owner.md")),
    ("input", include_str!("explain/input.md")),
    ("confirm", include_str!("explain/input.md")),
    ("file", include_str!("explain/input.md")),
    ("explain", include_str!("explain/input.md")),
    ("output", include_str!("explain/output.md")),
    ("verify", include_str!("explain/verify.md")),
    ("deposit", include_str!("explain/deposit.md")),
    ("open", include_str!("explain/open.md")),
    ("recover", include_str!("explain/recover.md")),
    ("tx", include_str!("explain/tx.md")),
    ("batch", include_str!("explain/batch.md")),
    ("ceremony", include_str!("explain/ceremony.md")),
    ("machine", include_str!("explain/machine.md")),
    ("internal", include_str!("explain/machine.md")),
];

impl Code {
    /// The page of a code: its section of the family's file, without the heading.
    pub(crate) fn page(self) -> Option<&'static str> {
        let (family, _) = self.text().split_once('.')?;
        let (_, file) = PAGES.iter().find(|(name, _)| *name == family)?;
        let sections = file.split("\n## ").skip(1);
        sections
            .filter_map(|section| section.split_once('\n'))
            .find(|(title, _)| *title == self.text())
            .map(|(_, page)| page.trim())
    }

    /// The code with this text.
    pub(crate) fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.text() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        for code in Code::ALL {
            let page = code.page().unwrap_or_default();
            assert!(page.len() > 80, "{} has no page", code.text());
            assert!(page.lines().all(|line| line.chars().count() <= 80), "{} has a long line", code.text());
        }
        for (_, file) in PAGES {
            for section in file.split("\n## ").skip(1) {
                let title = section.lines().next().unwrap_or_default();
                assert!(Code::find(title).is_some(), "no code is called {title}");
            }
        }
    }
}
