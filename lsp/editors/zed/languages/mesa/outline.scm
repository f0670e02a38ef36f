; Items with the word that says what they are, and what stands in them.
(doc_comment) @annotation

(item kind: _ @context name: (name) @name) @item
(weight "weight" @context name: (name) @name) @item
(section name: (name) @name) @item
