/** As rehearsal-module.ts, in CommonJS. */
exports.handler = async (event: { readonly name: string }): Promise<unknown> => ({ statusCode: 200, body: JSON.stringify(event) });
