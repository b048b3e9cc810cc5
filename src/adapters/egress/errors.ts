/** What the proxy answers instead of what was asked for. */
export class Refused extends Error {
  readonly status: 400 | 403 | 502 | 504;
  constructor(status: Refused['status'], message: string) {
    super(message);
    this.name = 'Refused';
    this.status = status;
  }
}
