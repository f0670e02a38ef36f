/** Everything that can be tested without the editor. */
import './colours.test';
import './explain.test';
import './figures.test';
import './manifest.test';
import './report.test';
import './server.test';
