// What @atproto/pds uses of better-sqlite3, on node:sqlite.
const { DatabaseSync } = require("node:sqlite");

const CODES = { 2067: "SQLITE_CONSTRAINT_UNIQUE", 1555: "SQLITE_CONSTRAINT_PRIMARYKEY", 5: "SQLITE_BUSY" };

function naming(work) {
  try {
    return work();
  } catch (error) {
    if (error.errcode in CODES) error.code = CODES[error.errcode];
    throw error;
  }
}

function values(given) {
  const flat = given.length === 1 && Array.isArray(given[0]) ? given[0] : given;
  return flat.map((value) => (value === undefined ? null : typeof value === "boolean" ? Number(value) : value));
}

function buffered(row) {
  for (const [name, value] of Object.entries(row ?? {}))
    if (value instanceof Uint8Array) row[name] = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return row;
}

class Statement {
  constructor(statement) {
    this.statement = statement;
    this.reader = statement.columns().length > 0;
  }
  all(...given) {
    return naming(() => this.statement.all(...values(given)).map(buffered));
  }
  get(...given) {
    return naming(() => buffered(this.statement.get(...values(given))));
  }
  run(...given) {
    return naming(() => this.statement.run(...values(given)));
  }
  *iterate(...given) {
    for (const row of this.statement.iterate(...values(given))) yield buffered(row);
  }
}

module.exports = class Database {
  constructor(path, options = {}) {
    this.database = new DatabaseSync(path);
    if (options.timeout) this.database.exec(`PRAGMA busy_timeout = ${Math.trunc(options.timeout)}`);
  }
  prepare(sql) {
    return naming(() => new Statement(this.database.prepare(sql)));
  }
  pragma(what) {
    return this.database.prepare(`PRAGMA ${what}`).all();
  }
  exec(sql) {
    this.database.exec(sql);
    return this;
  }
  close() {
    this.database.close();
  }
};
