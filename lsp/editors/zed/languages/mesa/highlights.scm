; What gets which colour. Later patterns win.

(name) @variable

; Comments
(comment) @comment
(doc_comment) @comment.doc
(file_comment) @comment.doc

; Literals
(digits) @number
(unit) @type
(text) @string
(text "\"" @string)
(text_content) @string
(escape) @string.escape
((name) @boolean (#any-of? @boolean "true" "false"))
((name) @constant (#any-of? @constant "none" "rest"))

; Items
(item kind: _ @keyword)
(item kind: ["const" "unit" "assume"] name: (name) @constant)
(item kind: ["fn" "metric" "op"] name: (name) @function)
(item kind: ["block" "model" "chip" "link" "system" "plan" "runtime" "dimension" "dtype"]
  name: (name) @type)
(item kind: ["scenario" "sweep" "measured"] name: (name) @constant)
(item kind: "axis" name: (name) @label)
(item of: (name) @variable)
["for" "use" "as"] @keyword
(use (name) @variable.special)
(use_name name: (name) @type)
(parameter name: (name) @variable.parameter)
(type_name) @type
(power) @number

; Statements
[
  "input" "weight" "output" "axis" "require" "expect" "fuse" "mesh" "shard" "zero" "overlap" "fold"
  "chip" "level" "backward" "grad" "vary" "where" "minimize" "maximize" "over" "within" "across"
  "schedule" "at" "via" "of" "carry" "with" "on" "in" "from" "source" "because" "dtype" "density"
] @keyword
["if" "else" "then"] @keyword
"repeat" @keyword
["and" "or" "not" "per"] @keyword

(setting name: (path (name) @property))
(section name: (name) @property)
(section label: (name) @label)
(input name: (name) @variable.parameter)
(weight name: (name) @constant)
(axes (axis_name (name) @label))
(axis name: (name) @label)
(mesh_axis name: (name) @label)
(shard (path (name) @label))
(over (name) @label)
(argument name: (name) @variable.parameter)
(field name: (name) @property)
(call function: (name) @function)
((call function: (name) @type) (#match? @type "^[A-Z]"))
((name) @type (#match? @type "^[A-Z][A-Za-z0-9_]*[a-z]"))

; Operators and brackets
["=" "->" ".." "==" "!=" "<" "<=" ">" ">=" "|" "&" "+" "-" "*" "/" "%" "^" "?"] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter
(hole ["{" "}"] @punctuation.special)
