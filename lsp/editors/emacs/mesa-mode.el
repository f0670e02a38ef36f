;;; mesa-mode.el --- Mesa in Emacs -*- lexical-binding: t; -*-

;; Package-Requires: ((emacs "26.3"))

;;; Commentary:

;; A major mode with colours and indentation, and the language server through eglot, which is part
;; of Emacs since 29 and a package before.  `mesa-report' shows the report of the scenario at point
;; and keeps it up to date; `mesa-explain' shows where a result comes from.

;;; Code:

(require 'cl-lib)
(require 'subr-x)

;; Of eglot; it need not be loaded here.
(defvar eglot-extend-to-xref)
(declare-function eglot-current-server "eglot")
(declare-function eglot--pos-to-lsp-position "eglot")
(declare-function eglot-path-to-uri "eglot")
(declare-function eglot--path-to-uri "eglot")
(declare-function eglot-handle-notification "eglot")
(declare-function jsonrpc-request "jsonrpc")
(declare-function jsonrpc-async-request "jsonrpc")

(defgroup mesa nil "What language models cost to run." :group 'languages)

(defcustom mesa-server-command '("mesa-lsp")
  "The language server with its arguments."
  :type '(repeat string))

(defvar mesa-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?/ ". 12" table)
    (modify-syntax-entry ?\n ">" table)
    (modify-syntax-entry ?_ "_" table)
    (modify-syntax-entry ?\" "\"" table)
    (dolist (sign '(?* ?+ ?- ?% ?^ ?| ?& ?< ?> ?=))
      (modify-syntax-entry sign "." table))
    table))

(defconst mesa-items
  '("use" "const" "fn" "assume" "dimension" "unit" "dtype" "axis" "op" "block" "model" "chip" "link"
    "system" "plan" "runtime" "scenario" "metric" "measured" "sweep"))

(defconst mesa-statements
  '("input" "weight" "output" "axis" "require" "expect" "fuse" "repeat" "mesh" "shard" "zero"
    "overlap" "fold" "chip" "level" "backward" "grad" "vary" "where" "minimize" "maximize"))

(defconst mesa-words
  '("if" "then" "else" "and" "or" "not" "per" "in" "of" "on" "with" "within" "over" "across"
    "schedule" "at" "via" "carry" "from" "source" "because" "dtype" "density" "as" "for"))

(defvar mesa-font-lock-keywords
  `((,(concat "^" (regexp-opt mesa-items 'symbols) "[ \t]+\\(\\(?:\\sw\\|\\s_\\)+\\)")
     (1 font-lock-keyword-face) (2 font-lock-function-name-face))
    (,(concat "^" (regexp-opt mesa-items 'symbols)) . font-lock-keyword-face)
    (,(concat "^[ \t]+" (regexp-opt mesa-statements 'symbols) "[ \t]+[^=. \t]")
     (1 font-lock-keyword-face))
    ("\\(?:^\\|[{,]\\)[ \t]*\\([a-z_][A-Za-z0-9_.]*\\)\\(?:\\[[^]]*\\]\\)?[ \t]*=[^=]"
     (1 font-lock-variable-name-face))
    ("\\_<\\(?:true\\|false\\|none\\|rest\\)\\_>" . font-lock-constant-face)
    ("\\_<[0-9][0-9_.]*\\(?:[eE][-+]?[0-9]+\\)?%?" . font-lock-constant-face)
    ("\\_<[A-Z][A-Za-z0-9_]*\\_>" . font-lock-type-face)
    (,(concat (regexp-opt mesa-words 'symbols) "[^:=]") (1 font-lock-keyword-face))))

(defun mesa-indent-line ()
  "Indent by brackets, two columns a level."
  (interactive)
  (let* ((depth (save-excursion (beginning-of-line) (car (syntax-ppss))))
         (closes (save-excursion (back-to-indentation) (looking-at "[])}]")))
         (column (* 2 (max 0 (if closes (1- depth) depth)))))
    (if (<= (current-column) (current-indentation))
        (indent-line-to column)
      (save-excursion (indent-line-to column)))))

;;;###autoload
(define-derived-mode mesa-mode prog-mode "Mesa"
  "Major mode for Mesa."
  (setq-local comment-start "// ")
  (setq-local comment-start-skip "//+[!/]?[ \t]*")
  (setq-local font-lock-defaults '(mesa-font-lock-keywords))
  (setq-local indent-line-function #'mesa-indent-line)
  (setq-local indent-tabs-mode nil)
  ;; The server of this buffer serves the library's files too, wherever they are.
  (setq-local eglot-extend-to-xref t)
  (setq-local imenu-generic-expression
              `((nil ,(concat "^" (regexp-opt (cdr mesa-items)) "[ \t]+\\([A-Za-z0-9_]+\\)") 1))))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.mesa\\'" . mesa-mode))

(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs
               (cons 'mesa-mode (lambda (&rest _) mesa-server-command)))
  (cl-defmethod eglot-handle-notification (_server (_method (eql mesa/evaluated)) &rest _)
    "Figures may have changed."
    (mesa--report-refresh)))

;;; Questions to the server

(defun mesa--server ()
  "The server of this buffer."
  (or (and (fboundp 'eglot-current-server) (eglot-current-server))
      (user-error "The language server does not run here; start it with M-x eglot")))

(defun mesa--uri ()
  "What the server calls this buffer."
  (funcall (if (fboundp 'eglot-path-to-uri) #'eglot-path-to-uri #'eglot--path-to-uri)
           buffer-file-name))

(defun mesa--position ()
  "Where point is, as the server counts."
  (funcall (if (fboundp 'eglot--pos-to-lsp-position)
               #'eglot--pos-to-lsp-position
             (intern "eglot-pos-to-lsp-position"))))

(defun mesa--show (name text)
  "Show TEXT in the buffer NAME beside this one."
  (with-current-buffer (get-buffer-create name)
    (let ((inhibit-read-only t) (line (line-number-at-pos)))
      (erase-buffer)
      (insert text)
      (goto-char (point-min))
      (forward-line (1- line)))
    (special-mode)
    (setq truncate-lines t)
    (display-buffer (current-buffer) '(display-buffer-in-side-window (side . right)
                                                                     (window-width . 0.5)))))

;;; The live report

(defvar mesa--source nil "The buffer whose scenario the report shows.")
(defvar mesa--timer nil)

(defun mesa--report-text (answer)
  "The report of ANSWER, or what stands in its way."
  (let ((findings (plist-get answer :findings)) (text (plist-get answer :text)))
    (if (plist-get answer :report) text
      (concat (plist-get answer :scenario) " has no figures until this is mended:\n\n"
              (mapconcat (lambda (finding)
                           (format "  line %d: %s"
                                   (1+ (plist-get (plist-get (plist-get finding :range) :start)
                                                  :line))
                                   (car (split-string (plist-get finding :message) "\n"))))
                         findings "\n")))))

(defun mesa--report-refresh ()
  "Ask for the report again if it is on screen."
  (when (and (buffer-live-p mesa--source) (get-buffer-window "*Mesa report*" t))
    (with-current-buffer mesa--source
      (jsonrpc-async-request
       (mesa--server) :mesa/report (list :uri (mesa--uri) :position (mesa--position))
       :success-fn (lambda (answer)
                     (when answer (mesa--show "*Mesa report*" (mesa--report-text answer))))
       :error-fn #'ignore))))

(defun mesa--follow ()
  "The cursor rests somewhere else."
  (when (and (derived-mode-p 'mesa-mode) (get-buffer-window "*Mesa report*" t))
    (setq mesa--source (current-buffer))
    (mesa--report-refresh)))

(defun mesa--ask (method params)
  "The answer to METHOD with PARAMS; what the server refuses is said as it says it."
  (condition-case refused
      (jsonrpc-request (mesa--server) method params)
    (jsonrpc-error
     (user-error "%s" (or (alist-get 'jsonrpc-error-message (cddr refused)) (cadr refused))))))

;;;###autoload
(defun mesa-report ()
  "Show the report of the scenario at point, and keep it up to date."
  (interactive)
  (let ((answer (mesa--ask :mesa/report (list :uri (mesa--uri) :position (mesa--position)))))
    (unless answer (user-error "No scenario uses what stands here"))
    (setq mesa--source (current-buffer))
    (unless mesa--timer
      (setq mesa--timer (run-with-idle-timer 0.2 t #'mesa--follow)))
    (mesa--show "*Mesa report*" (mesa--report-text answer))))

;;; Derivations

(defun mesa--derivation (step depth)
  "The lines of STEP and what it is computed from, DEPTH levels in."
  (let ((indent (make-string (* 2 depth) ?\s))
        (formula (plist-get step :formula))
        (source (plist-get step :source)))
    (concat indent (plist-get step :name) " = " (plist-get step :human)
            (unless (member (plist-get step :kind) '("formula" "spec"))
              (concat "  " (plist-get step :kind)))
            (when (eq t (plist-get step :above)) "  shown above")
            "\n"
            (when (and formula (not (string-match-p "\\`[0-9._]+\\'" formula)))
              (concat indent "│ " (replace-regexp-in-string "\n" (concat "\n" indent "│ ") formula)
                      "\n"))
            (when source (concat indent "│ source: " source "\n"))
            (mapconcat (lambda (child) (mesa--derivation child (1+ depth)))
                       (plist-get step :steps) ""))))

;;;###autoload
(defun mesa-explain (path)
  "Show where the result PATH, such as `chat.tpot', comes from."
  (interactive (list (read-string "Explain the result: " (thing-at-point 'symbol))))
  (let ((answer (mesa--ask :mesa/explain (list :uri (mesa--uri) :path path))))
    (unless answer (user-error "There is no derivation of %s" path))
    (mesa--show "*Mesa explain*" (mesa--derivation (plist-get answer :derivation) 0))))

(provide 'mesa-mode)
;;; mesa-mode.el ends here
