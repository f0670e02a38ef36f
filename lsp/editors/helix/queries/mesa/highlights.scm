; What gets which colour, in the names of Helix. Up to 25.01 the first pattern wins, later the last:
; no two patterns may give one name two colours. Other names are plain text.

; Comments
(comment) @comment.line
(doc_comment) @comment.block.documentation
(file_comment) @comment.block.documentation

; Literals
(digits) @constant.numeric
(unit) @type.builtin
(text) @string
(text "\"" @string)
(text_content) @string
(escape) @constant.character.escape
((name) @constant.builtin.boolean (#any-of? @constant.builtin.boolean "true" "false"))
((name) @constant.builtin (#eq? @constant.builtin "none"))

; Items
(item kind: _ @keyword)
((item kind: ["const" "unit" "assume"] name: (name) @constant)
  (#not-match? @constant "^[A-Z][A-Za-z0-9_]*[A-Za-z0-9]$"))
(item kind: ["fn" "metric" "op"] name: (name) @function)
(item kind: ["block" "model" "chip" "link" "system" "plan" "runtime" "dimension" "dtype"]
  name: (name) @type)
(item kind: ["scenario" "sweep" "measured"] name: (name) @constant)
(item kind: "axis" name: (name) @label)
["for" "use" "as"] @keyword
((use (name) @namespace) (#match? @namespace "^[a-z]"))
((use (name) @type) (#match? @type "^[A-Z]"))
(use_name name: (name) @type)
(parameter name: (name) @variable.parameter)
(type_name) @type
(power) @constant.numeric

; Statements
[
  "input" "weight" "output" "axis" "require" "expect" "fuse" "mesh" "shard" "zero" "overlap" "fold"
  "chip" "level" "backward" "grad" "vary" "where" "minimize" "maximize" "over" "within" "across"
  "schedule" "at" "via" "of" "carry" "with" "on" "in" "from" "source" "because" "dtype" "density"
] @keyword
["if" "else" "then"] @keyword.control.conditional
"repeat" @keyword.control.repeat
["and" "or" "not" "per"] @keyword.operator

(setting name: (path (name) @variable.other.member))
(section name: (name) @variable.other.member)
(section label: (name) @label)
(input name: (name) @variable.parameter)
(weight name: (name) @constant)
(axes (axis_name (name) @label))
(axis name: (name) @label)
(mesh_axis name: (name) @label)
(shard (path (name) @label))
(over (name) @label)
(argument name: (name) @variable.parameter)
(field name: (name) @variable.other.member)
((call function: (name) @function) (#match? @function "^[a-z_]"))
((call function: (name) @type) (#match? @type "^[A-Z]"))
((name) @type (#match? @type "^[A-Z][A-Za-z0-9_]*[A-Za-z0-9]$"))

; Operators and brackets
["=" "->" ".." "==" "!=" "<" "<=" ">" ">=" "|" "&" "+" "-" "*" "/" "%" "^" "?"] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter
