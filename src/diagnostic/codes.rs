//! The catalogue of codes: each declared once, with its severity, its one-line meaning and a page.

use super::finding::Severity;

/// A stable code such as `E0201`. `E` codes are errors, `W` warnings, `N` notes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Code(&'static str);

impl Code {
    /// The code as shown.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0
    }
    /// How grave findings with this code are.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self.0.as_bytes().first() {
            Some(b'W') => Severity::Warning,
            Some(b'N') => Severity::Note,
            _ => Severity::Error,
        }
    }
    /// One line: what it means.
    #[must_use]
    pub fn summary(self) -> &'static str {
        ALL.iter().find(|(code, _)| *code == self).map_or("", |(_, s)| s)
    }
    /// The code with this id, in any case.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        ALL.iter().map(|(code, _)| *code).find(|code| code.0.eq_ignore_ascii_case(id))
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal, $summary:literal;)*) => {
        $(#[doc = $summary] pub const $name: Code = Code($id);)*
        /// Every code with its summary, in order.
        pub const ALL: &[(Code, &str)] = &[$(($name, $summary)),*];
    };
}

codes! {
    // E00: files and text
    NOT_TEXT = "E0001", "the file is not UTF-8 text";
    TOO_LARGE = "E0002", "the file is larger than Mesa reads";
    TOO_NESTED = "E0003", "something is nested too deeply";
    CANNOT_READ = "E0004", "a file cannot be read";
    TOO_MANY_FINDINGS = "E0005", "there are more findings than are told";
    // E01: syntax
    UNEXPECTED = "E0101", "something else was expected here";
    UNCLOSED = "E0102", "a bracket or brace is never closed";
    UNKNOWN_ITEM = "E0103", "a line in column 0 starts no known item";
    UNTERMINATED_TEXT = "E0104", "a text literal does not end on its line";
    BAD_NUMBER = "E0105", "a number is not written the way Mesa reads numbers";
    COLON_IN_BRACES = "E0106", "`name: value` between braces, where `name = value` is meant";
    EQUALS_IN_PARENS = "E0107", "`name = value` between parentheses, where `name: value` is meant";
    WRONG_WORD = "E0108", "a spelling of another language; Mesa has its own";
    CLAUSE_TWICE = "E0109", "a clause is given twice";
    // E02: names
    UNKNOWN_NAME = "E0201", "a name is not known here";
    UNKNOWN_FIELD = "E0202", "there is no field with this name";
    UNKNOWN_UNIT = "E0203", "a unit is not known";
    UNKNOWN_MODULE = "E0204", "a module or file cannot be found";
    DUPLICATE_NAME = "E0205", "a name is declared twice";
    CYCLE = "E0206", "a value depends on itself";
    UNKNOWN_ARGUMENT = "E0207", "there is no parameter with this name";
    MISSING_ARGUMENT = "E0208", "a parameter without a default got no value";
    TOO_MANY_ARGUMENTS = "E0209", "more arguments than parameters";
    DUPLICATE_ARGUMENT = "E0210", "an argument is given twice";
    WRONG_KIND = "E0211", "a name stands for another kind of thing than is wanted here";
    UNKNOWN_TYPE = "E0212", "a type is not known";
    MISSING_FIELD = "E0213", "a field that is needed is missing";
    STATEMENT_NOT_HERE = "E0214", "this statement has no meaning in this kind of item";
    NOT_CALLABLE = "E0215", "something is called that cannot be called";
    MISSING_VALUE = "E0216", "an item has neither a value nor a body";
    CYCLIC_IMPORT = "E0217", "files import each other in a circle";
    RESULT_NOT_YET = "E0218", "a result is used where only inputs are known";
    UNKNOWN_SCENARIO = "E0219", "a scenario is not known";
    UNKNOWN_RESULT = "E0220", "a result path is not known";
    // E03: quantities and types
    DIMENSION_MISMATCH = "E0301", "two quantities have different dimensions";
    WRONG_DIMENSION = "E0302", "a quantity has another dimension than is wanted";
    NOT_A_COUNT = "E0303", "a value must be a non-negative whole number";
    WRONG_TYPE = "E0304", "a value has another type than is wanted";
    NOT_A_NUMBER = "E0305", "arithmetic on something that is not a number";
    OUT_OF_RANGE = "E0306", "a value lies outside what is allowed";
    NOT_FINITE = "E0307", "a value is not finite";
    NOT_A_CONDITION = "E0308", "a condition is wanted";
    MISSING_UNIT = "E0309", "a number needs a unit here";
    // E04: shapes
    AXIS_MISMATCH = "E0401", "two tensors disagree about an axis";
    UNKNOWN_AXIS = "E0402", "an axis is not known";
    AXIS_TWICE = "E0403", "a tensor has an axis twice";
    RANK_MISMATCH = "E0404", "a tensor has another number of axes than is wanted";
    MISSING_AXIS = "E0405", "a result has an axis that no operand has";
    NESTED_PRODUCT = "E0406", "a product inside a product needs a definition of its own";
    COMPOSITE_MISMATCH = "E0407", "a composite axis is not the product of its parts";
    CARRY_CHANGED = "E0408", "a carried value changes its axes";
    ARMS_DIFFER = "E0409", "the arms of an `if` leave different things behind";
    NO_OUTPUT = "E0410", "a block has no output";
    BAD_LAYER_CONDITION = "E0411", "a condition on a layer index is not of a form that counts";
    ZERO_AXIS = "E0412", "an axis has no elements";
    UNKNOWN_ROLE = "E0413", "a role of tensors is not known";
    NOT_A_TENSOR = "E0414", "a tensor is wanted";
    NO_BACKWARD = "E0415", "an op without `backward` stands between a weight and the loss";
    // E05: plans and machines
    DOES_NOT_DIVIDE = "E0501", "a mesh axis does not divide the axis it shards";
    MESH_TOO_LARGE = "E0502", "the mesh has more devices than the machine";
    SHARD_CONFLICT = "E0503", "two axes of one tensor lie on one mesh axis";
    UNKNOWN_MESH_AXIS = "E0504", "a mesh axis is not known";
    SHARD_MATCHES_NOTHING = "E0505", "a rule names what the model does not have";
    STRADDLES_LEVEL = "E0506", "a mesh axis straddles a level of the machine unevenly";
    OUT_OF_MEMORY = "E0507", "the plan does not fit into memory";
    UNSUPPORTED_DTYPE = "E0508", "a chip cannot compute in a number format";
    STAGES_EXCEED_LAYERS = "E0509", "there are more pipeline stages than layers";
    BATCH_TOO_SMALL = "E0510", "there are more data-parallel replicas than sequences";
    SHARD_WHOLE = "E0511", "an axis that an op needs whole is sharded";
    NO_SUCH_LEVEL = "E0512", "a level of the machine is not known";
    SHARD_TWICE = "E0513", "two shard rules for one axis";
    MICRO_BATCHES = "E0514", "the batch is no whole number of micro-batches";
    BAD_SCHEDULE = "E0515", "a pipeline schedule that the plan or the model cannot have";
    NOT_YET = "E0516", "training does not cost this yet";
    ZERO_WITHOUT_REPLICAS = "E0517", "`zero` over a mesh axis along which nothing is replicated";
    NOTHING_TRAINED = "E0518", "every weight is frozen in training";
    ZERO_TWICE = "E0519", "two `zero` share among different devices";
    STAGE_LAYERS = "E0520", "stages are given layers that are not there";
    SEQUENCE_WHOLE = "E0521", "the plan says how a sequence is cut, and does not cut it";
    SEQUENCE_CHUNKS = "E0522", "a sequence cannot be cut into even chunks";
    NO_SUCH_MEMORY = "E0523", "a memory outside of the chips is not known";
    OFFLOADS_NOTHING = "E0524", "the plan offloads what the workload does not have";
    MESH_AXIS_TWICE = "E0525", "a rule names a mesh axis twice";
    PHASE_PLANS = "E0526", "plans for phases that cannot be";
    PLAN_LEFT_OPEN = "E0527", "a plan is left open, and nothing fills it in";
    EXPERTS_DO_NOT_DIVIDE = "E0530", "expert parallelism does not divide the experts";
    // E06: what the author asked to hold
    REQUIRE_FAILED = "E0601", "a requirement does not hold";
    EXPECT_FAILED = "E0602", "an expectation does not hold";
    ASSUME_OUT_OF_RANGE = "E0603", "an assumption lies outside its own range";
    // E07: the command line
    NOT_SETTABLE = "E0701", "`--set` on something that is not an input";
    UNKNOWN_PATH = "E0702", "a path names nothing that can be set";
    UNKNOWN_SWEEP = "E0703", "a sweep is not known";
    // E08: imported configs and checkpoints
    NOT_A_CONFIG = "E0801", "a file to import is not a `config.json`";
    UNKNOWN_ARCHITECTURE = "E0802", "an architecture is not known to the importer";
    CONFIG_KEY_MISSING = "E0803", "a config lacks a key that is needed";
    CONFIG_KEY_WRONG = "E0804", "a key of a config has a value that it cannot have";
    CONFIG_CONTRADICTS = "E0805", "the keys of a config contradict each other";
    CONFIG_UNSUPPORTED = "E0806", "a config asks for layers that the library does not have";
    // E082: checkpoints
    NOT_SAFETENSORS = "E0820", "a file is not in the safetensors format";
    BAD_HEADER = "E0821", "the header of a safetensors file cannot be read";
    BAD_OFFSETS = "E0822", "tensors of a safetensors file do not lie side by side in its data";
    BAD_SIZE = "E0823", "a tensor takes other bytes than its shape and format need";
    TENSOR_TWICE = "E0824", "a checkpoint names a tensor twice";
    BAD_INDEX = "E0825", "the index of a checkpoint cannot be read";
    SHARD_MISSING = "E0826", "a file of a checkpoint is missing";
    INDEX_DISAGREES = "E0827", "the index of a checkpoint and its files disagree";
    TENSOR_MISSING = "E0830", "a weight of the model is not in the checkpoint";
    TENSOR_SURPLUS = "E0831", "a checkpoint has a tensor that the model does not know";
    TENSOR_SHAPE = "E0832", "a weight has another shape in the checkpoint";
    TENSOR_DTYPE = "E0833", "a weight is stored in another format than the spec says";
    NO_TENSOR_NAME = "E0834", "a weight of the model has no name in a checkpoint";
    // E09: sweeps
    BAD_RANGE = "E0901", "the values of a sweep cannot be tried";
    TOO_MANY_POINTS = "E0902", "a sweep has more points than anybody can wait for";
    // N: notes
    CONFIG_DEFAULT = "N0801", "a config lacks a key, and the default of its architecture was taken";
    // W: warnings
    UNUSED_BINDING = "W0101", "a name is bound and never used";
    UNUSED_IMPORT = "W0102", "an import is never used";
    KV_REPLICATED = "W0501", "key/value heads are replicated";
    IDLE_DEVICES = "W0502", "the plan leaves devices idle";
    PADDED_AXIS = "W0503", "an axis is padded";
    DTYPE_OVERRIDDEN = "W0504", "a scenario overrides the number format that a model states";
    MIXED_CHIPS = "W0505", "a system holds different chips, and the first counts for all";
    NO_EFFECT = "W0506", "something in a plan or a workload has no effect";
    NO_SOURCE = "W0601", "a hardware figure has no source";
    ASSUMPTION_STRETCHED = "W0602", "an assumption is set outside of its range";
    CONFIG_KEY_UNKNOWN = "W0801", "a key of a config is not understood";
    CONFIG_ASSUMED = "W0802", "a config leaves something open, and it was assumed";
    FILE_NOT_LISTED = "W0820", "a file beside a checkpoint is not part of it";
    INDEX_TRAILING = "W0821", "something follows behind the end of an index";
}
