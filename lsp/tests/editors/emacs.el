;;; emacs.el --- Works in Emacs as a person does -*- lexical-binding: t; -*-

;;; Commentary:

;; In: `MESA_OUT', the file to write.  Out: a part for each feature, headed `## name'.

;;; Code:

(require 'mesa-mode)
(require 'eglot)
(require 'flymake)
(require 'xref)
(require 'seq)

(setq eglot-sync-connect 30 eglot-autoshutdown nil eglot-send-changes-idle-time 0.05
      eglot-extend-to-xref t make-backup-files nil auto-save-default nil)

(defun out (name text)
  "Write the part NAME with TEXT."
  (write-region (format "## %s\n%s\n" name text) nil (getenv "MESA_OUT") t 'quiet))

(defun wait (what ready)
  "Wait until READY says something, which is given back; give up naming WHAT."
  (let ((until (time-add (current-time) 20)) got)
    (while (and (not (setq got (funcall ready))) (time-less-p (current-time) until))
      (accept-process-output nil 0.05)
      (when (fboundp 'eglot--signal-textDocument/didChange)
        (eglot--signal-textDocument/didChange)))
    (or got (error "Waiting for %s" what))))

(defun go (pattern &optional offset)
  "Put point at the start of PATTERN, OFFSET further."
  (goto-char (point-min))
  (re-search-forward pattern)
  (goto-char (+ (match-beginning 0) (or offset 0))))

(defun problems ()
  "What flymake shows."
  (mapcar (lambda (one)
            (format "%d: %s" (line-number-at-pos (flymake-diagnostic-beg one))
                    (flymake-diagnostic-text one)))
          (flymake-diagnostics)))

(condition-case problem
    (progn
      (find-file "chat.mesa")
      (out "filetype" (format "%s %s" major-mode comment-start))
      (apply #'eglot (let ((current-prefix-arg nil)) (eglot--guess-contact)))

      (flymake-mode 1)
      (flymake-start)
      (out "diagnostics" (string-join (wait "a diagnostic" #'problems) "\n"))
      (go "tp: 6" 4)
      (delete-char 1)
      (insert "8")
      (wait "no diagnostic" (lambda () (flymake-start) (null (problems))))
      (out "mended" (buffer-substring (line-beginning-position) (line-end-position)))

      (go "Llama3_8B" 2)
      (let ((answer (jsonrpc-request (eglot-current-server) :textDocument/hover
                                     (eglot--TextDocumentPositionParams))))
        (out "hover" (substring-no-properties (eglot--hover-info (plist-get answer :contents)))))

      (go "heads, ffn")
      (let* ((completion (eglot-completion-at-point))
             (table (nth 2 completion)))
        (out "completion"
             (string-join (mapcar #'substring-no-properties (all-completions "" table)) "\n")))

      (go "batch = 32")
      (delete-char 10)
      (insert "batch   =32")
      (eglot-format-buffer)
      (go "batch")
      (out "format" (buffer-substring (line-beginning-position) (line-end-position)))

      (let ((report (lambda () (with-current-buffer "*Mesa report*" (buffer-string)))))
        (mesa-report)
        (out "report" (funcall report))
        (go "batch = 32")
        (delete-char 10)
        (insert "batch = 64")
        (wait "the new report" (lambda () (string-match-p "batch 64" (funcall report))))
        (out "report that follows" (nth 1 (split-string (funcall report) "\n"))))

      (mesa-explain "chat.memory.weights")
      (out "explain" (with-current-buffer "*Mesa explain*" (buffer-string)))

      (go "Llama3_8B" 2)
      (let ((xrefs (xref-backend-definitions 'eglot "Llama3_8B")))
        (xref-pop-to-location (car xrefs) nil))
      (out "definition" (format "%s\n%s\nread only %s" buffer-file-name
                                (buffer-substring (line-beginning-position) (line-end-position))
                                buffer-read-only))
      (out "done" ""))
  (error (out "failed" (format "%S" problem))))
(kill-emacs 0)
;;; emacs.el ends here
