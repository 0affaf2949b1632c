//! The contract's interface as Solidity states it; the encoders are generated from it.

use alloy_sol_types::sol;

sol! {
    /// SSVNetwork 2.0.0: clusters paid in ETH.
    #[derive(Debug, PartialEq, Eq)]
    interface SsvNetwork {
        struct Cluster {
            uint32 validatorCount;
            uint64 networkFeeIndex;
            uint64 index;
            bool active;
            uint256 balance;
        }

        function registerValidator(bytes publicKey, uint64[] operatorIds, bytes sharesData, Cluster cluster) external payable;
        function bulkRegisterValidator(bytes[] publicKeys, uint64[] operatorIds, bytes[] sharesData, Cluster cluster) external payable;
        function removeValidator(bytes publicKey, uint64[] operatorIds, Cluster cluster) external;
        function bulkRemoveValidator(bytes[] publicKeys, uint64[] operatorIds, Cluster cluster) external;
        function exitValidator(bytes publicKey, uint64[] operatorIds) external;
        function bulkExitValidator(bytes[] publicKeys, uint64[] operatorIds) external;
        function deposit(address clusterOwner, uint64[] operatorIds, Cluster cluster) external payable;
        function withdraw(uint64[] operatorIds, uint256 amount, Cluster cluster) external;
        function reactivate(uint64[] operatorIds, Cluster cluster) external payable;
        function migrateClusterToETH(uint64[] operatorIds, Cluster cluster) external payable;
        function liquidate(address clusterOwner, uint64[] operatorIds, Cluster cluster) external;
        function liquidateSSV(address clusterOwner, uint64[] operatorIds, Cluster cluster) external;
        function setFeeRecipientAddress(address feeRecipient) external;
        function updateClusterBalance(uint64 blockNum, address clusterOwner, uint64[] operatorIds, Cluster cluster, uint32 effectiveBalance, bytes32[] merkleProof) external;

        function registerOperator(bytes publicKey, uint256 fee, bool setPrivate) external;
        function removeOperator(uint64 operatorId) external;
        function declareOperatorFee(uint64 operatorId, uint256 fee) external;
        function executeOperatorFee(uint64 operatorId) external;
        function cancelDeclaredOperatorFee(uint64 operatorId) external;
        function reduceOperatorFee(uint64 operatorId, uint256 fee) external;
        function setOperatorsWhitelists(uint64[] operatorIds, address[] whitelistAddresses) external;
        function removeOperatorsWhitelists(uint64[] operatorIds, address[] whitelistAddresses) external;
        function setOperatorsWhitelistingContract(uint64[] operatorIds, address whitelistingContract) external;
        function removeOperatorsWhitelistingContract(uint64[] operatorIds) external;
        function setOperatorsPrivateUnchecked(uint64[] operatorIds) external;
        function setOperatorsPublicUnchecked(uint64[] operatorIds) external;
        function withdrawOperatorEarnings(uint64 operatorId, uint256 amount) external;
        function withdrawAllOperatorEarnings(uint64 operatorId) external;
        function withdrawOperatorEarningsSSV(uint64 operatorId, uint256 amount) external;
        function withdrawAllOperatorEarningsSSV(uint64 operatorId) external;
        function withdrawAllVersionOperatorEarnings(uint64 operatorId) external;
        function getVersion() external view returns (string version);

        event ValidatorAdded(address indexed owner, uint64[] operatorIds, bytes publicKey, bytes shares, Cluster cluster);
        event ValidatorRemoved(address indexed owner, uint64[] operatorIds, bytes publicKey, Cluster cluster);
        event ClusterDeposited(address indexed owner, uint64[] operatorIds, uint256 value, Cluster cluster);
        event ClusterWithdrawn(address indexed owner, uint64[] operatorIds, uint256 value, Cluster cluster);
        event ClusterLiquidated(address indexed owner, uint64[] operatorIds, Cluster cluster);
        event ClusterReactivated(address indexed owner, uint64[] operatorIds, Cluster cluster);
        event ClusterMigratedToETH(address indexed owner, uint64[] operatorIds, uint256 ethDeposited, uint256 ssvRefunded, uint32 effectiveBalance, Cluster cluster);
        event ClusterBalanceUpdated(address indexed owner, uint64[] operatorIds, uint64 blockNum, uint32 effectiveBalance, Cluster cluster);

        error EmptyPublicKeysList();
        error PublicKeysSharesLengthMismatch();
        error InvalidOperatorIdsLength();
        error InvalidPublicKeyLength();
        error ValidatorAlreadyExistsWithData(bytes publicKey);
        error IncorrectClusterVersion();
        error IncorrectClusterState();
        error ClusterIsLiquidated();
        error ClusterDoesNotExist();
        error ClusterDoesNotExists();
        error UnsortedOperatorsList();
        error OperatorsListNotUnique();
        error OperatorDoesNotExist();
        error CallerNotWhitelistedWithData(uint64 operatorId);
        error ExceedValidatorLimitWithData(uint64 operatorId);
        error InsufficientBalance();
        error IncorrectValidatorStateWithData(bytes publicKey);
        error ValidatorDoesNotExist();
        error ClusterAlreadyEnabled();
        error ClusterNotLiquidatable();
        error CallerNotOwnerWithData(address caller, address owner);
        error MaxValueExceeded();
        error MaxPrecisionExceeded();
        error NotAuthorized();
        error ETHTransferFailed();
        error TokenTransferFailed();
        error IncorrectOperatorVersion(uint8 operatorVersion);
        error TargetModuleDoesNotExistWithData(uint8 moduleId);
    }

    /// The calls of version 1 that version 2 does not have: they carried an amount of SSV.
    #[derive(Debug, PartialEq, Eq)]
    interface SsvNetworkV1 {
        struct Cluster {
            uint32 validatorCount;
            uint64 networkFeeIndex;
            uint64 index;
            bool active;
            uint256 balance;
        }

        function registerValidator(bytes publicKey, uint64[] operatorIds, bytes sharesData, uint256 amount, Cluster cluster) external;
        function bulkRegisterValidator(bytes[] publicKeys, uint64[] operatorIds, bytes[] sharesData, uint256 amount, Cluster cluster) external;
        function deposit(address clusterOwner, uint64[] operatorIds, uint256 amount, Cluster cluster) external;
        function reactivate(uint64[] operatorIds, uint256 amount, Cluster cluster) external;
    }
}
