/**
 * Asks at most one question at a time, and always the newest one last.
 *
 * In: a question that may be asked again at any moment. Out: its answers, where an answer that came
 * after a newer question was put is dropped.
 */
export class Latest<Question, Answer> {
  private wanted: { question: Question } | undefined;
  private busy = false;

  constructor(
    private readonly ask: (question: Question) => Promise<Answer>,
    private readonly show: (answer: Answer, question: Question) => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  put(question: Question): void {
    this.wanted = { question };
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.busy) {
      return;
    }
    this.busy = true;
    try {
      while (this.wanted !== undefined) {
        const { question } = this.wanted;
        this.wanted = undefined;
        try {
          const answer = await this.ask(question);
          if (this.wanted === undefined) {
            this.show(answer, question);
          }
        } catch (error) {
          this.failed(error);
        }
      }
    } finally {
      this.busy = false;
    }
  }
}
